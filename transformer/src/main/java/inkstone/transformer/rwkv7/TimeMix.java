package inkstone.transformer.rwkv7;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;

/**
 * The mixing over time of RWKV-7 (Peng et al. 2025, arXiv:2503.14456, section 4); see {@link Tensor#wkv7} for its state.
 *
 * @param lerp       shares of the row before in what makes r, decay, k, v, rate and gate: [6, dim]
 * @param decay      maps of low rank, each of two halves; {@code firstShare} is null in the first layer, which has no value before its own
 * @param removal    and replacement, weight: time_mix_k_k, time_mix_k_a, time_mix_r_k
 * @param norm       of each head
 */
record TimeMix(Rwkv7Config config, int layer, Tensor lerp, Linear receptance, Linear key, Linear value, LowRank decay, LowRank rate, LowRank firstShare, LowRank gate,
               Tensor removal, Tensor replacement, Tensor weight, Tensor norm, Tensor normBias, Linear output) {
    private static final int SHIFT = 0, HEADS = 2;
    private static final int RECEPTANCE = 0, DECAY = 1, KEY = 2, VALUE = 3, RATE = 4, GATE = 5, BLENDS = 6;

    static TimeMix of(Rwkv7Config c, int layer, Weights w) {
        int dim = c.dim();
        // files have the first layer's share as well, in a rank of another map; nothing reads it
        if (layer == 0) for (int part = 0; part <= 2; part++) w.has("time_mix_v" + part + ".weight");
        return new TimeMix(c, layer, w.floats("time_mix_lerp_fused.weight", BLENDS, 1, 1, dim).view(BLENDS, dim),
            w.linear("time_mix_receptance", dim, dim), w.linear("time_mix_key", dim, dim), w.linear("time_mix_value", dim, dim),
            LowRank.of(w, "time_mix_w", dim, c.decayRank()), LowRank.of(w, "time_mix_a", dim, c.rateRank()),
            layer == 0 ? null : LowRank.of(w, "time_mix_v", dim, c.valueRank()), LowRank.of(w, "time_mix_g", dim, c.gateRank()),
            w.tensor("time_mix_k_k.weight", dim), w.tensor("time_mix_k_a.weight", dim), w.tensor("time_mix_r_k.weight", dim),
            w.tensor("time_mix_ln.weight", dim).view(dim / c.headDim(), c.headDim()), w.tensor("time_mix_ln.bias", dim).view(dim / c.headDim(), c.headDim()),
            w.linear("time_mix_output", dim, dim));
    }

    /** x [n, dim], and the first layer's value [n, dim] or null in that layer itself. */
    Rwkv7.Out forward(Tensor x, Tensor firstValue, Context context) {
        int n = x.shape().dim(0), dim = config.dim(), headDim = config.headDim();
        var before = x.shift(context.recurrence(layer, SHIFT, dim));
        var v = value.forward(blend(x, before, VALUE));
        if (firstShare != null) v = v.lerp(firstValue, firstShare.forward(blend(x, before, VALUE)).map(Elementwise.SIGMOID));
        var wkv = receptance.forward(blend(x, before, RECEPTANCE)).wkv7(decay.forward(blend(x, before, DECAY), Elementwise.TANH), key.forward(blend(x, before, KEY)), v,
            rate.forward(blend(x, before, RATE)).map(Elementwise.SIGMOID), removal, replacement, weight, headDim, context.recurrence(layer, HEADS, dim * headDim));
        var normed = wkv.y().view(n * (dim / headDim), headDim).layerNorm(norm, normBias, config.headEps()).view(n, dim);
        var gated = normed.add(wkv.bonus()).mul(gate.forward(blend(x, before, GATE), Elementwise.SIGMOID));
        return new Rwkv7.Out(output.forward(gated), v);
    }

    private Tensor blend(Tensor x, Tensor before, int which) { return x.lerp(before, lerp.rows(which, which + 1).view(config.dim())); }

    /** second (first x) + shift, where the file has a shift: x [n, dim] -> [n, dim]. */
    record LowRank(Linear first, Linear second) {
        static LowRank of(Weights w, String name, int dim, int rank) {
            return new LowRank(new Linear.Dense(w.tensor(name + "1.weight", rank, dim), null),
                new Linear.Dense(w.tensor(name + "2.weight", dim, rank), w.has(name + "0.weight") ? w.tensor(name + "0.weight", dim) : null));
        }

        Tensor forward(Tensor x) { return second.forward(first.forward(x)); }
        Tensor forward(Tensor x, Elementwise between) { return second.forward(first.forward(x).map(between)); }
    }
}
