package inkstone.tensor.cuda;

import inkstone.tensor.AdamStep;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Kernels;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Resampling;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;

/** Each kernel with the family it belongs to. */
final class CudaKernels implements Kernels {
    private final CudaActivations activations;
    private final CudaAttention attention;
    private final CudaColumns columns;
    private final CudaDropout dropout;
    private final CudaExperts experts;
    private final CudaLargest largest;
    private final CudaLinear linear;
    private final CudaLoss loss;
    private final CudaNorms norms;
    private final CudaOptimizer optimizer;
    private final CudaRecurrence recurrence;
    private final CudaRope rope;
    private final CudaRouting routing;
    private final CudaTables tables;
    private final CudaConvolution convolution;
    private final CudaPictures pictures;

    CudaKernels(Gpu gpu) {
        activations = new CudaActivations(gpu);
        attention = new CudaAttention(gpu);
        columns = new CudaColumns(gpu);
        dropout = new CudaDropout(gpu);
        experts = new CudaExperts(gpu);
        largest = new CudaLargest(gpu);
        linear = new CudaLinear(gpu);
        loss = new CudaLoss(gpu);
        norms = new CudaNorms(gpu);
        optimizer = new CudaOptimizer(gpu);
        recurrence = new CudaRecurrence(gpu);
        rope = new CudaRope(gpu);
        routing = new CudaRouting(gpu);
        tables = new CudaTables(gpu);
        convolution = new CudaConvolution(gpu, linear);
        pictures = new CudaPictures(gpu);
    }

    @Override public void embedding(Tensor y, Tensor tokens, Tensor table) { tables.embedding(y, tokens, table); }
    @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) { linear.linear(y, x, weight, bias); }
    @Override public void add(Tensor y, Tensor a, Tensor b) { activations.add(y, a, b); }
    @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) { norms.rmsNorm(y, x, weight, eps); }
    @Override public void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) { norms.layerNorm(y, x, weight, bias, eps); }
    @Override public void scale(Tensor y, Tensor x, float factor) { activations.scale(y, x, factor); }
    @Override public void softCap(Tensor y, Tensor x, float cap) { activations.softCap(y, x, cap); }
    @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope rope) { this.rope.rope(y, x, positions, rope); }
    @Override public void swiglu(Tensor y, Tensor gate, Tensor up) { activations.swiglu(y, gate, up); }
    @Override public void gelu(Tensor y, Tensor x) { activations.gelu(y, x); }
    @Override public void geglu(Tensor y, Tensor gate, Tensor up) { activations.geglu(y, gate, up); }
    @Override public void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) { activations.clampedSwiglu(y, gate, up, alpha, limit); }
    @Override public void map(Tensor y, Tensor x, Elementwise function) { activations.map(y, x, function); }
    @Override public void mul(Tensor y, Tensor a, Tensor b) { activations.mul(y, a, b); }
    @Override public void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) { columns.scaleColumns(y, x, factors, divisors, bias); }
    @Override public void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) { tables.rowLengths(lengths, weight, a, b, scale); }
    @Override public void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) { columns.lerp(y, a, b, weight); }
    @Override public void shift(Tensor y, Tensor x, Recurrence recurrence) { this.recurrence.shift(y, x, recurrence); }
    @Override public void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence) {
        this.recurrence.causalConv(y, x, weight, bias, recurrence);
    }
    @Override public void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        this.recurrence.selectiveScan(y, x, dt, b, c, a, skip, recurrence);
    }
    @Override public void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        this.recurrence.ssdScan(y, x, dt, b, c, a, skip, recurrence);
    }
    @Override public void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence recurrence) {
        this.recurrence.gatedDelta(y, q, k, v, dt, rate, a, bias, tiled, eps, recurrence);
    }
    @Override public void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight, int headDim, Recurrence recurrence) {
        this.recurrence.wkv7(y, bonus, r, decay, k, v, rate, removal, replacement, weight, headDim, recurrence);
    }
    @Override public void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) {
        this.routing.route(experts, weights, scores, bias, routing);
    }
    @Override public void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) { this.experts.expertLinear(y, x, weight, bias, experts); }
    @Override public void weightedSum(Tensor y, Tensor x, Tensor weights) { routing.weightedSum(y, x, weights); }
    @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) { attention.attention(y, q, k, v, starts, shape); }
    @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
        attention.pagedAttention(y, q, keys, values, positions, sequences, pageTable, shape);
    }
    @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) { tables.scatterRows(cache, x, slots); }
    @Override public void concat(Tensor y, Tensor a, Tensor b) { columns.concat(y, a, b); }
    @Override public void columns(Tensor y, Tensor x, int from) { columns.columns(y, x, from); }
    @Override public void gatherRows(Tensor y, Tensor x, Tensor rows) { tables.gatherRows(y, x, rows); }
    @Override public void largest(Tensor y, Tensor x) { largest.largest(y, x); }
    @Override public void dropout(Tensor y, Tensor x, float rate, long key) { dropout.dropout(y, x, rate, key); }
    @Override public void sum(Tensor y, Tensor x) { loss.sum(y, x); }
    @Override public void sumOfSquares(Tensor y, Tensor x) { loss.sumOfSquares(y, x); }
    @Override public void crossEntropy(Tensor y, Tensor logits, Tensor targets) { loss.crossEntropy(y, logits, targets); }
    @Override public void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) { optimizer.adamW(weight, gradient, m, v, step); }
    @Override public void average(Tensor average, Tensor weight, float share) { optimizer.average(average, weight, share); }
    @Override public void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution window) { convolution.conv2d(y, x, weight, bias, window); }
    @Override public void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        pictures.groupNorm(y, x, weight, bias, groups, eps, silu);
    }
    @Override public void resize(Tensor y, Tensor x, Resampling resampling) { pictures.resize(y, x, resampling); }
    @Override public void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        attention.crossAttention(y, q, k, v, sequences, lengths, bias, shape);
    }
    @Override public void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { columns.modulate(y, x, scale, shift); }
    @Override public void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { columns.gated(y, residual, x, gate); }
    @Override public void leakyRelu(Tensor y, Tensor x, float slope) { activations.leakyRelu(y, x, slope); }
}
