package inkstone.tensor.cpu;

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
final class CpuKernels implements Kernels {
    private final CpuLinear linear;
    private final CpuRows rows;
    private final CpuRope rope;
    private final CpuActivations activations;
    private final CpuColumns columns;
    private final CpuExperts experts;
    private final CpuRecurrence recurrence;
    private final CpuAttention attention;
    private final CpuLargest largest;
    private final CpuLoss loss;
    private final CpuDropout dropout;
    private final CpuOptimizer optimizer;
    private final CpuConvolution convolution;
    private final CpuGroupNorm groupNorm;
    private final CpuResize resize;
    private final CpuModulation modulation;

    /** @param single one block, for kernels that call others or share one result */
    CpuKernels(Workers workers, Scratch scratch, Scratch single, CpuRope rope) {
        linear = new CpuLinear(workers, scratch);
        rows = new CpuRows(workers, scratch);
        this.rope = rope;
        activations = new CpuActivations(workers, scratch);
        columns = new CpuColumns(workers);
        experts = new CpuExperts(workers, linear, single);
        recurrence = new CpuRecurrence(workers, scratch);
        attention = new CpuAttention(workers, scratch, single);
        largest = new CpuLargest(workers);
        loss = new CpuLoss(workers, scratch);
        dropout = new CpuDropout(workers, scratch);
        optimizer = new CpuOptimizer(workers, scratch);
        convolution = new CpuConvolution(workers, scratch, single, linear);
        groupNorm = new CpuGroupNorm(workers, scratch, single);
        resize = new CpuResize(workers, scratch);
        modulation = new CpuModulation(workers, single);
    }

    @Override public void embedding(Tensor y, Tensor tokens, Tensor table) { rows.embedding(y, tokens, table); }
    @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) { linear.linear(y, x, weight, bias); }
    @Override public void add(Tensor y, Tensor a, Tensor b) { rows.add(y, a, b); }
    @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) { rows.rmsNorm(y, x, weight, eps); }
    @Override public void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) { rows.layerNorm(y, x, weight, bias, eps); }
    @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope turns) { rope.turn(y, x, positions, turns); }
    @Override public void swiglu(Tensor y, Tensor gate, Tensor up) { rows.swiglu(y, gate, up); }
    @Override public void gelu(Tensor y, Tensor x) { activations.gelu(y, x); }
    @Override public void geglu(Tensor y, Tensor gate, Tensor up) { activations.geglu(y, gate, up); }
    @Override public void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) { activations.clampedSwiglu(y, gate, up, alpha, limit); }
    @Override public void scale(Tensor y, Tensor x, float factor) { activations.scale(y, x, factor); }
    @Override public void softCap(Tensor y, Tensor x, float cap) { activations.softCap(y, x, cap); }
    @Override public void map(Tensor y, Tensor x, Elementwise function) { activations.map(y, x, function); }
    @Override public void mul(Tensor y, Tensor a, Tensor b) { activations.mul(y, a, b); }
    @Override public void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) { columns.scaleColumns(y, x, factors, divisors, bias); }
    @Override public void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) { columns.rowLengths(lengths, weight, a, b, scale); }
    @Override public void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) { activations.lerp(y, a, b, weight); }
    @Override public void shift(Tensor y, Tensor x, Recurrence states) { recurrence.shift(y, x, states); }
    @Override public void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence states) { recurrence.causalConv(y, x, weight, bias, states); }

    @Override public void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence states) {
        recurrence.ssdScan(y, x, dt, b, c, a, skip, states);
    }
    @Override public void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence states) {
        recurrence.gatedDelta(y, q, k, v, dt, rate, a, bias, tiled, eps, states);
    }
    @Override public void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence states) {
        recurrence.selectiveScan(y, x, dt, b, c, a, skip, states);
    }

    @Override public void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight,
                               int headDim, Recurrence states) {
        recurrence.wkv7(y, bonus, r, decay, k, v, rate, removal, replacement, weight, headDim, states);
    }

    @Override public void route(Tensor chosen, Tensor weights, Tensor scores, Tensor bias, Routing routing) { experts.route(chosen, weights, scores, bias, routing); }
    @Override public void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor chosen) { experts.expertLinear(y, x, weight, bias, chosen); }
    @Override public void weightedSum(Tensor y, Tensor x, Tensor weights) { experts.weightedSum(y, x, weights); }
    @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) { rows.scatterRows(cache, x, slots); }
    @Override public void concat(Tensor y, Tensor a, Tensor b) { rows.concat(y, a, b); }
    @Override public void columns(Tensor y, Tensor x, int from) { rows.columns(y, x, from); }
    @Override public void gatherRows(Tensor y, Tensor x, Tensor indices) { rows.gatherRows(y, x, indices); }
    @Override public void largest(Tensor y, Tensor x) { largest.largest(y, x); }

    @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) { attention.attention(y, q, k, v, starts, shape); }

    @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
        attention.pagedAttention(y, q, keys, values, positions, sequences, pageTable, shape);
    }

    @Override public void dropout(Tensor y, Tensor x, float rate, long key) { dropout.dropout(y, x, rate, key); }
    @Override public void sum(Tensor y, Tensor x) { loss.sum(y, x); }
    @Override public void sumOfSquares(Tensor y, Tensor x) { rows.sumOfSquares(y, x); }
    @Override public void crossEntropy(Tensor y, Tensor logits, Tensor targets) { loss.crossEntropy(y, logits, targets); }
    @Override public void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) { optimizer.adamW(weight, gradient, m, v, step); }
    @Override public void average(Tensor average, Tensor weight, float share) { optimizer.average(average, weight, share); }
    @Override public void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution window) { convolution.conv2d(y, x, weight, bias, window); }
    @Override public void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        groupNorm.groupNorm(y, x, weight, bias, groups, eps, silu);
    }
    @Override public void resize(Tensor y, Tensor x, Resampling resampling) { resize.resize(y, x, resampling); }
    @Override public void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        attention.crossAttention(y, q, k, v, sequences, lengths, bias, shape);
    }
    @Override public void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { modulation.modulate(y, x, scale, shift); }
    @Override public void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { modulation.gated(y, residual, x, gate); }
    @Override public void leakyRelu(Tensor y, Tensor x, float slope) { activations.leakyRelu(y, x, slope); }
}
