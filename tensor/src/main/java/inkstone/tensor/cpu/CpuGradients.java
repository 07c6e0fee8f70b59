package inkstone.tensor.cpu;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Gradients;
import inkstone.tensor.Resampling;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;

/** Each gradient with the family it belongs to; lengths of columns, which DoRA alone needs, take the plain loops. */
final class CpuGradients implements Gradients {
    private final CpuLinearBackward linear;
    private final CpuExpertGradients experts;
    private final CpuRowGradients rows;
    private final CpuRope rope;
    private final CpuActivationGradients activations;
    private final CpuLoss loss;
    private final CpuDropout dropout;
    private final CpuAttentionGradients attention;
    private final CpuConvolutionGradients convolution;
    private final CpuGroupNorm groupNorm;
    private final CpuResize resize;
    private final CpuModulation modulation;
    private final Gradients plain = new ReferenceBackend().gradients();

    /**
     * @param single   one block, for panels and sums that all workers have a part in
     * @param gathered another, for the rows of an expert
     * @param rope     shared with the kernels, for the same angles
     */
    CpuGradients(Workers workers, Scratch scratch, Scratch single, Scratch gathered, CpuRope rope) {
        linear = new CpuLinearBackward(workers, scratch, single);
        experts = new CpuExpertGradients(workers, linear, gathered);
        this.rope = rope;
        rows = new CpuRowGradients(workers, scratch, single);
        activations = new CpuActivationGradients(workers, scratch);
        loss = new CpuLoss(workers, scratch);
        dropout = new CpuDropout(workers, scratch);
        attention = new CpuAttentionGradients(workers, scratch, single);
        convolution = new CpuConvolutionGradients(workers, scratch, single, linear);
        groupNorm = new CpuGroupNorm(workers, scratch, single);
        resize = new CpuResize(workers, scratch);
        modulation = new CpuModulation(workers, single);
    }

    @Override public void embedding(Tensor dTable, Tensor tokens, Tensor dy) { rows.embedding(dTable, tokens, dy); }
    @Override public void linearInput(Tensor dx, Tensor dy, Tensor weight) { linear.linearInput(dx, dy, weight); }
    @Override public void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) { linear.linearWeight(dWeight, dBias, dy, x); }
    @Override public void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) { rows.rmsNorm(dx, dWeight, dy, x, weight, eps); }

    @Override public void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) {
        rows.layerNorm(dx, dWeight, dBias, dy, x, weight, eps);
    }

    @Override public void scale(Tensor dx, Tensor dy, float factor) { activations.scale(dx, dy, factor); }
    @Override public void scaleColumns(Tensor dx, Tensor dFactors, Tensor dBias, Tensor dy, Tensor x, Tensor factors, Tensor divisors) { plain.scaleColumns(dx, dFactors, dBias, dy, x, factors, divisors); }
    @Override public void softCap(Tensor dx, Tensor dy, Tensor y, float cap) { activations.softCap(dx, dy, y, cap); }
    @Override public void map(Tensor dx, Tensor dy, Tensor x, Elementwise function) { activations.map(dx, dy, x, function); }
    @Override public void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) { activations.mul(da, db, dy, a, b); }
    @Override public void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) { rows.lerp(da, db, dWeight, dy, a, b, weight); }
    @Override public void rope(Tensor dx, Tensor dy, Tensor positions, Rope turns) { rope.turnBack(dx, dy, positions, turns); }
    @Override public void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) { activations.swiglu(dGate, dUp, dy, gate, up); }
    @Override public void gelu(Tensor dx, Tensor dy, Tensor x) { activations.gelu(dx, dy, x); }
    @Override public void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) { activations.geglu(dGate, dUp, dy, gate, up); }

    @Override public void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) {
        activations.clampedSwiglu(dGate, dUp, dy, gate, up, alpha, limit);
    }

    @Override public void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) {
        attention.attention(dq, dk, dv, dy, q, k, v, y, starts, shape);
    }

    @Override public void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor chosen) { experts.expertInput(dx, dy, weight, chosen); }
    @Override public void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor chosen) { experts.expertWeight(dWeight, dBias, dy, x, chosen); }
    @Override public void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) { rows.weightedSum(dx, dWeights, dy, x, weights); }

    @Override public void route(Tensor dScores, Tensor dWeights, Tensor chosen, Tensor weights, Tensor scores, Routing routing) {
        experts.route(dScores, dWeights, chosen, weights, scores, routing);
    }

    @Override public void concat(Tensor da, Tensor db, Tensor dy) { rows.concat(da, db, dy); }
    @Override public void columns(Tensor dx, Tensor dy, int from) { rows.columns(dx, dy, from); }
    @Override public void gatherRows(Tensor dx, Tensor dy, Tensor indices) { rows.gatherRows(dx, dy, indices); }
    @Override public void dropout(Tensor dx, Tensor dy, float rate, long key) { dropout.gradient(dx, dy, rate, key); }
    @Override public void sum(Tensor dx, Tensor dy) { loss.sumGradient(dx, dy); }
    @Override public void crossEntropy(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) { loss.crossEntropyGradient(dLogits, dy, logits, targets); }
    @Override public void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution window) { convolution.conv2dInput(dx, dy, weight, window); }
    @Override public void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution window) { convolution.conv2dWeight(dWeight, dBias, dy, x, window); }
    @Override public void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        groupNorm.gradient(dx, dWeight, dBias, dy, x, weight, bias, groups, eps, silu);
    }
    @Override public void resize(Tensor dx, Tensor dy, Resampling resampling) { resize.gradient(dx, dy, resampling); }
    @Override public void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        attention.crossAttention(dq, dk, dv, dy, q, k, v, y, sequences, lengths, bias, shape);
    }
    @Override public void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) { modulation.modulateGradient(dx, dScale, dShift, dy, x, scale); }
    @Override public void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) { modulation.gatedGradient(dx, dGate, dy, x, gate); }
    @Override public void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope) { activations.leakyRelu(dx, dy, x, slope); }
}
