package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Tells what memory a computation needs without doing it: kernels do nothing, tensors have shapes and addresses but no memory behind them, and what would be allocated is
 * counted to the byte, as every other backend allocates it. Whatever is read back is 1, so that a loss can be carried back and a sampler has something to choose from. What
 * lies on the host (mapped weights) is left where it is and not counted, or counted as on a device that has memory of its own. Touching a tensor's memory but through this backend ends the process.
 */
public final class CountingBackend implements Backend {
    private static final long ALIGNMENT = 64;

    private final Kernels kernels = new NoKernels();
    private final Gradients gradients = new NoGradients();
    private final boolean device;
    private long nextAddress = ALIGNMENT, held, peak;

    /** @param device whether tensors lie in memory of their own, to which weights are copied */
    public CountingBackend(boolean device) { this.device = device; }

    /** Bytes that are allocated now. */
    public long held() { return held; }

    /** The most bytes that were ever allocated at a time. */
    public long peak() { return peak; }

    @Override public String name() { return "counting"; }
    @Override public Kernels kernels() { return kernels; }
    @Override public Gradients gradients() { return gradients; }

    @Override public MemorySegment allocate(long bytes) {
        var memory = MemorySegment.ofAddress(nextAddress).reinterpret(bytes);
        nextAddress += Math.max(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        held += bytes;
        peak = Math.max(peak, held);
        return memory;
    }

    @Override public void free(MemorySegment memory) { held -= memory.byteSize(); }
    @Override public MemorySegment resident(MemorySegment host) { return device ? allocate(host.byteSize()) : host; }
    @Override public void upload(MemorySegment destination, MemorySegment host) {}

    @Override public void download(MemorySegment host, MemorySegment source) {
        for (long at = 0; at + Float.BYTES <= host.byteSize(); at += Float.BYTES) host.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, 1);
    }

    @Override public void copy(MemorySegment destination, MemorySegment source) {}
    @Override public void clear(MemorySegment memory) {}
    @Override public void synchronize() {}
    @Override public void close() {}

    private static final class NoKernels implements Kernels {
        @Override public void embedding(Tensor y, Tensor tokens, Tensor table) {}
        @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) {}
        @Override public void add(Tensor y, Tensor a, Tensor b) {}
        @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) {}
        @Override public void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {}
        @Override public void scale(Tensor y, Tensor x, float factor) {}
        @Override public void softCap(Tensor y, Tensor x, float cap) {}
        @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope rope) {}
        @Override public void swiglu(Tensor y, Tensor gate, Tensor up) {}
        @Override public void gelu(Tensor y, Tensor x) {}
        @Override public void geglu(Tensor y, Tensor gate, Tensor up) {}
        @Override public void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) {}
        @Override public void map(Tensor y, Tensor x, Elementwise function) {}
        @Override public void mul(Tensor y, Tensor a, Tensor b) {}
        @Override public void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) {}
        @Override public void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) {}
        @Override public void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) {}
        @Override public void shift(Tensor y, Tensor x, Recurrence recurrence) {}
        @Override public void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence) {}
        @Override public void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {}
        @Override public void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {}
        @Override public void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled,
                              float eps, Recurrence recurrence) {}
        @Override public void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal,
                              Tensor replacement, Tensor weight, int headDim, Recurrence recurrence) {}
        @Override public void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) {}
        @Override public void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {}
        @Override public void weightedSum(Tensor y, Tensor x, Tensor weights) {}
        @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) {}
        @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable,
                              AttentionShape shape) {}
        @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) {}
        @Override public void concat(Tensor y, Tensor a, Tensor b) {}
        @Override public void columns(Tensor y, Tensor x, int from) {}
        @Override public void gatherRows(Tensor y, Tensor x, Tensor rows) {}
        @Override public void largest(Tensor y, Tensor x) {}
        @Override public void dropout(Tensor y, Tensor x, float rate, long key) {}
        @Override public void sum(Tensor y, Tensor x) {}
        @Override public void sumOfSquares(Tensor y, Tensor x) {}
        @Override public void crossEntropy(Tensor y, Tensor logits, Tensor targets) {}
        @Override public void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) {}
        @Override public void average(Tensor average, Tensor weight, float share) {}
        @Override public void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) {}
        @Override public void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {}
        @Override public void resize(Tensor y, Tensor x, Resampling resampling) {}
        @Override public void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {}
        @Override public void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) {}
        @Override public void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) {}
        @Override public void leakyRelu(Tensor y, Tensor x, float slope) {}
    }

    private static final class NoGradients implements Gradients {
        @Override public void embedding(Tensor dTable, Tensor tokens, Tensor dy) {}
        @Override public void linearInput(Tensor dx, Tensor dy, Tensor weight) {}
        @Override public void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) {}
        @Override public void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) {}
        @Override public void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) {}
        @Override public void scale(Tensor dx, Tensor dy, float factor) {}
        @Override public void softCap(Tensor dx, Tensor dy, Tensor y, float cap) {}
        @Override public void map(Tensor dx, Tensor dy, Tensor x, Elementwise function) {}
        @Override public void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) {}
        @Override public void scaleColumns(Tensor dx, Tensor dFactors, Tensor dBias, Tensor dy, Tensor x, Tensor factors, Tensor divisors) {}
        @Override public void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) {}
        @Override public void rope(Tensor dx, Tensor dy, Tensor positions, Rope rope) {}
        @Override public void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {}
        @Override public void gelu(Tensor dx, Tensor dy, Tensor x) {}
        @Override public void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {}
        @Override public void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) {}
        @Override public void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) {}
        @Override public void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts) {}
        @Override public void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts) {}
        @Override public void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) {}
        @Override public void route(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing) {}
        @Override public void concat(Tensor da, Tensor db, Tensor dy) {}
        @Override public void columns(Tensor dx, Tensor dy, int from) {}
        @Override public void gatherRows(Tensor dx, Tensor dy, Tensor rows) {}
        @Override public void dropout(Tensor dx, Tensor dy, float rate, long key) {}
        @Override public void sum(Tensor dx, Tensor dy) {}
        @Override public void crossEntropy(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) {}
        @Override public void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) {}
        @Override public void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) {}
        @Override public void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {}
        @Override public void resize(Tensor dx, Tensor dy, Resampling resampling) {}
        @Override public void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {}
        @Override public void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {}
        @Override public void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) {}
        @Override public void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope) {}
    }
}
