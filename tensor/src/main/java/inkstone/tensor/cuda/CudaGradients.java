package inkstone.tensor.cuda;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Gradients;
import inkstone.tensor.Resampling;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;

/** Each gradient with the family it belongs to. */
final class CudaGradients implements Gradients {
    private final CudaActivations activations;
    private final CudaAttentionGradients attentionGradients;
    private final CudaColumns columns;
    private final CudaDropout dropout;
    private final CudaExperts experts;
    private final CudaLinear linear;
    private final CudaLoss loss;
    private final CudaNorms norms;
    private final CudaRope rope;
    private final CudaRouting routing;
    private final CudaTables tables;
    private final CudaConvolution convolution;
    private final CudaPictures pictures;

    CudaGradients(Gpu gpu) {
        activations = new CudaActivations(gpu);
        attentionGradients = new CudaAttentionGradients(gpu);
        columns = new CudaColumns(gpu);
        dropout = new CudaDropout(gpu);
        experts = new CudaExperts(gpu);
        linear = new CudaLinear(gpu);
        loss = new CudaLoss(gpu);
        norms = new CudaNorms(gpu);
        rope = new CudaRope(gpu);
        routing = new CudaRouting(gpu);
        tables = new CudaTables(gpu);
        convolution = new CudaConvolution(gpu, linear);
        pictures = new CudaPictures(gpu);
    }

    @Override public void embedding(Tensor dTable, Tensor tokens, Tensor dy) { tables.embeddingGradient(dTable, tokens, dy); }
    @Override public void linearInput(Tensor dx, Tensor dy, Tensor weight) { linear.linearInput(dx, dy, weight); }
    @Override public void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) { linear.linearWeight(dWeight, dBias, dy, x); }
    @Override public void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) {
        norms.rmsNormGradient(dx, dWeight, dy, x, weight, eps);
    }
    @Override public void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) {
        norms.layerNormGradient(dx, dWeight, dBias, dy, x, weight, eps);
    }
    @Override public void scale(Tensor dx, Tensor dy, float factor) { activations.scaleGradient(dx, dy, factor); }
    @Override public void softCap(Tensor dx, Tensor dy, Tensor y, float cap) { activations.softCapGradient(dx, dy, y, cap); }
    @Override public void map(Tensor dx, Tensor dy, Tensor x, Elementwise function) { activations.mapGradient(dx, dy, x, function); }
    @Override public void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) { activations.mulGradient(da, db, dy, a, b); }
    @Override public void scaleColumns(Tensor dx, Tensor dFactors, Tensor dBias, Tensor dy, Tensor x, Tensor factors, Tensor divisors) {
        columns.scaleColumnsGradient(dx, dFactors, dBias, dy, x, factors, divisors);
    }
    @Override public void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) {
        columns.lerpGradient(da, db, dWeight, dy, a, b, weight);
    }
    @Override public void rope(Tensor dx, Tensor dy, Tensor positions, Rope rope) { this.rope.ropeGradient(dx, dy, positions, rope); }
    @Override public void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) { activations.swigluGradient(dGate, dUp, dy, gate, up); }
    @Override public void gelu(Tensor dx, Tensor dy, Tensor x) { activations.geluGradient(dx, dy, x); }
    @Override public void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) { activations.gegluGradient(dGate, dUp, dy, gate, up); }
    @Override public void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) {
        activations.clampedSwigluGradient(dGate, dUp, dy, gate, up, alpha, limit);
    }
    @Override public void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) {
        attentionGradients.attention(dq, dk, dv, dy, q, k, v, y, starts, shape);
    }
    @Override public void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts) { this.experts.expertInput(dx, dy, weight, experts); }
    @Override public void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts) {
        this.experts.expertWeight(dWeight, dBias, dy, x, experts);
    }
    @Override public void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) {
        routing.weightedSumGradient(dx, dWeights, dy, x, weights);
    }
    @Override public void route(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing) {
        this.routing.routeGradient(dScores, dWeights, experts, weights, scores, routing);
    }
    @Override public void concat(Tensor da, Tensor db, Tensor dy) { columns.concatGradient(da, db, dy); }
    @Override public void columns(Tensor dx, Tensor dy, int from) { columns.columnsGradient(dx, dy, from); }
    @Override public void gatherRows(Tensor dx, Tensor dy, Tensor rows) { tables.gatherRowsGradient(dx, dy, rows); }
    @Override public void dropout(Tensor dx, Tensor dy, float rate, long key) { dropout.dropoutGradient(dx, dy, rate, key); }
    @Override public void sum(Tensor dx, Tensor dy) { loss.sumGradient(dx, dy); }
    @Override public void crossEntropy(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) { loss.crossEntropyGradient(dLogits, dy, logits, targets); }
    @Override public void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution window) { convolution.conv2dInput(dx, dy, weight, window); }
    @Override public void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution window) { convolution.conv2dWeight(dWeight, dBias, dy, x, window); }
    @Override public void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        pictures.groupNormGradient(dx, dWeight, dBias, dy, x, weight, bias, groups, eps, silu);
    }
    @Override public void resize(Tensor dx, Tensor dy, Resampling resampling) { pictures.resizeGradient(dx, dy, resampling); }
    @Override public void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        attentionGradients.crossAttention(dq, dk, dv, dy, q, k, v, y, sequences, lengths, bias, shape);
    }
    @Override public void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {
        columns.modulateGradient(dx, dScale, dShift, dy, x, scale);
    }
    @Override public void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) { columns.gatedGradient(dx, dGate, dy, x, gate); }
    @Override public void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope) { activations.leakyReluGradient(dx, dy, x, slope); }
}
