package inkstone.transformer.qwen3next;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.Context;
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.Ssd;

/**
 * Linear attention by the gated delta rule (Yang et al. 2024, arXiv:2412.06464) behind a short convolution: x [n, dim] -> [n, dim]. Parameters have the names of GGUF files,
 * where ssm_a is -exp(A_log).
 *
 * @param tiled whether heads are dealt to key heads in turn, as Qwen 3.5's files have them
 */
record GatedDeltaNet(Ssd.Sizes sizes, boolean tiled, float eps, int layer, Mixed mixed, Rates rates, Tensor conv, Tensor dtBias, Tensor a, HeadNorm norm, Linear output) {
    private static final int CONVOLUTION = 0, STATE = 1;

    /** Queries, keys and values side by side [n, convolved], and the gate [n, inner]. */
    private record Parts(Tensor mixed, Tensor gate) {}

    /** The map before the convolution and that of the gate, or both in one with the parts of each key head side by side. */
    private sealed interface Mixed {
        Parts forward(Tensor x);

        record Apart(Linear attnQkv, Linear attnGate) implements Mixed {
            @Override public Parts forward(Tensor x) { return new Parts(attnQkv.forward(x), attnGate.forward(x)); }
        }

        record Fused(Ssd.Sizes sizes, Linear ssmIn) implements Mixed {
            @Override public Parts forward(Tensor x) {
                int n = x.shape().dim(0), keyHeads = sizes.groups(), keyDim = sizes.states(), values = sizes.inner() / keyHeads;
                var perHead = ssmIn.forward(x).view(n * keyHeads, 2 * keyDim + 2 * values);
                Tensor queries = perHead.columns(0, keyDim).view(n, keyHeads * keyDim), keys = perHead.columns(keyDim, 2 * keyDim).view(n, keyHeads * keyDim);
                var value = perHead.columns(2 * keyDim, 2 * keyDim + values).view(n, sizes.inner());
                return new Parts(queries.concat(keys).concat(value), perHead.columns(2 * keyDim + values, 2 * keyDim + 2 * values).view(n, sizes.inner()));
            }
        }
    }

    /** How much each head learns, and time steps before their bias: [n, heads] each. */
    private record Learning(Tensor rate, Tensor step) {}

    /** The two maps, or both in one with the parts of each key head side by side. */
    private sealed interface Rates {
        Learning forward(Tensor x);

        record Apart(Linear ssmBeta, Linear ssmAlpha) implements Rates {
            @Override public Learning forward(Tensor x) { return new Learning(ssmBeta.forward(x), ssmAlpha.forward(x)); }
        }

        record Fused(Ssd.Sizes sizes, Linear ssmBa) implements Rates {
            @Override public Learning forward(Tensor x) {
                int n = x.shape().dim(0), each = sizes.heads() / sizes.groups();
                var perHead = ssmBa.forward(x).view(n * sizes.groups(), 2 * each);
                return new Learning(perHead.columns(0, each).view(n, sizes.heads()), perHead.columns(each, 2 * each).view(n, sizes.heads()));
            }
        }
    }

    static GatedDeltaNet of(Ssd.Sizes sizes, boolean tiled, int dim, float eps, int layer, Weights w) {
        int inner = sizes.inner(), heads = sizes.heads();
        Mixed mixed = w.has("ssm_in.weight") ? new Mixed.Fused(sizes, w.linear("ssm_in", dim, sizes.convolved() + inner))
            : new Mixed.Apart(w.linear("attn_qkv", dim, sizes.convolved()), w.linear("attn_gate", dim, inner));
        Rates rates = w.has("ssm_ba.weight") ? new Rates.Fused(sizes, w.linear("ssm_ba", dim, 2 * heads))
            : new Rates.Apart(w.linear("ssm_beta", dim, heads), w.linear("ssm_alpha", dim, heads));
        return new GatedDeltaNet(sizes, tiled, eps, layer, mixed, rates, w.tensor("ssm_conv1d.weight", sizes.convolved(), sizes.kernel()), w.tensor("ssm_dt.bias", heads),
            w.tensor("ssm_a", heads), new HeadNorm.Rms(w.tensor("ssm_norm.weight", inner / heads), eps), w.linear("ssm_out", inner, dim));
    }

    Tensor forward(Tensor x, Context context) {
        int[] widths = sizes.stateWidths();
        int keys = sizes.groups() * sizes.states();
        var parts = mixed.forward(x);
        var seen = parts.mixed.causalConv(conv, null, context.recurrence(layer, CONVOLUTION, widths[CONVOLUTION])).map(Elementwise.SILU);
        var learning = rates.forward(x);
        var y = seen.columns(2 * keys, 2 * keys + sizes.inner()).gatedDelta(seen.columns(0, keys), seen.columns(keys, 2 * keys), learning.step, learning.rate, a, dtBias,
            sizes.states(), tiled, eps, context.recurrence(layer, STATE, widths[STATE]));
        return output.forward(parts.gate.swiglu(norm.forward(y)));
    }
}
