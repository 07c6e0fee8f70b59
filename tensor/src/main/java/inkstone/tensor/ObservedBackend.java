package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Computes on another backend and tells what comes to each matrix of a model on the way. Every kernel is named here, so that one that is added must say whether it
 * reads a matrix. Of a matrix that a model reads in parts, the first part speaks for all: they are given the same. Closes the other backend with itself.
 */
public final class ObservedBackend implements Backend {
    /** Told before the kernel runs; may read the tensors, which are this backend's. */
    public interface Observer {
        /** Rows x F32 [n, in] come to the matrix called {@code name}, [out, in]. */
        void linear(String name, Tensor x);

        /** Rows x F32 [n, in] come to the matrices called {@code name}, [count, out, in]: row i / (m / n) to matrix experts[i], I32 of m elements. */
        void expertLinear(String name, int count, Tensor x, Tensor experts);
    }

    private final Backend backend;
    private final Observer observer;
    private final Kernels kernels;
    /** Where a parameter begins -> its name. */
    private final Map<Long, String> names = new ConcurrentHashMap<>();

    public ObservedBackend(Backend backend, Observer observer) {
        this.backend = backend;
        this.observer = observer;
        this.kernels = new Observed(backend.kernels());
    }

    @Override public String name() { return backend.name(); }
    @Override public String device() { return backend.device(); }
    @Override public int threads() { return backend.threads(); }
    @Override public Optional<Memory> memory() { return backend.memory(); }
    @Override public Kernels kernels() { return kernels; }
    @Override public Gradients gradients() { return backend.gradients(); }
    @Override public MemorySegment allocate(long bytes) { return backend.allocate(bytes); }
    @Override public void free(MemorySegment memory) { backend.free(memory); }
    @Override public MemorySegment resident(MemorySegment host) { return backend.resident(host); }
    @Override public MemorySegment resident(String name, MemorySegment host) { return backend.resident(name, host); }
    @Override public Backend ofLayer(int layer) { return backend.ofLayer(layer); }
    @Override public void expect(int parameters, long bytes) { backend.expect(parameters, bytes); }
    @Override public void upload(MemorySegment destination, MemorySegment host) { backend.upload(destination, host); }
    @Override public void download(MemorySegment host, MemorySegment source) { backend.download(host, source); }
    @Override public void copy(MemorySegment destination, MemorySegment source) { backend.copy(destination, source); }
    @Override public void clear(MemorySegment memory) { backend.clear(memory); }
    @Override public void synchronize() { backend.synchronize(); }
    @Override public void close() { backend.close(); }

    @Override public void loaded(String name, Tensor parameter) {
        backend.loaded(name, parameter);
        names.put(parameter.data().address(), name);
    }

    private final class Observed implements Kernels {
        private final Kernels kernels;

        Observed(Kernels kernels) { this.kernels = kernels; }

        @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) {
            var name = names.get(weight.data().address());
            if (name != null) observer.linear(name, x);
            kernels.linear(y, x, weight, bias);
        }

        @Override public void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {
            var name = names.get(weight.data().address());
            if (name != null) observer.expertLinear(name, weight.shape().dim(0), x, experts);
            kernels.expertLinear(y, x, weight, bias, experts);
        }

        @Override public void embedding(Tensor y, Tensor tokens, Tensor table) { kernels.embedding(y, tokens, table); }
        @Override public void add(Tensor y, Tensor a, Tensor b) { kernels.add(y, a, b); }
        @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) { kernels.rmsNorm(y, x, weight, eps); }
        @Override public void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) { kernels.layerNorm(y, x, weight, bias, eps); }
        @Override public void scale(Tensor y, Tensor x, float factor) { kernels.scale(y, x, factor); }
        @Override public void softCap(Tensor y, Tensor x, float cap) { kernels.softCap(y, x, cap); }
        @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope rope) { kernels.rope(y, x, positions, rope); }
        @Override public void swiglu(Tensor y, Tensor gate, Tensor up) { kernels.swiglu(y, gate, up); }
        @Override public void gelu(Tensor y, Tensor x) { kernels.gelu(y, x); }
        @Override public void geglu(Tensor y, Tensor gate, Tensor up) { kernels.geglu(y, gate, up); }
        @Override public void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) { kernels.clampedSwiglu(y, gate, up, alpha, limit); }
        @Override public void map(Tensor y, Tensor x, Elementwise function) { kernels.map(y, x, function); }
        @Override public void mul(Tensor y, Tensor a, Tensor b) { kernels.mul(y, a, b); }
        @Override public void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) { kernels.scaleColumns(y, x, factors, divisors, bias); }
        @Override public void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) { kernels.rowLengths(lengths, weight, a, b, scale); }
        @Override public void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) { kernels.lerp(y, a, b, weight); }
        @Override public void shift(Tensor y, Tensor x, Recurrence recurrence) { kernels.shift(y, x, recurrence); }
        @Override public void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence) { kernels.causalConv(y, x, weight, bias, recurrence); }
        @Override public void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
            kernels.selectiveScan(y, x, dt, b, c, a, skip, recurrence);
        }
        @Override public void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
            kernels.ssdScan(y, x, dt, b, c, a, skip, recurrence);
        }
        @Override public void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence recurrence) {
            kernels.gatedDelta(y, q, k, v, dt, rate, a, bias, tiled, eps, recurrence);
        }
        @Override public void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight,
                                   int headDim, Recurrence recurrence) {
            kernels.wkv7(y, bonus, r, decay, k, v, rate, removal, replacement, weight, headDim, recurrence);
        }
        @Override public void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) { kernels.route(experts, weights, scores, bias, routing); }
        @Override public void weightedSum(Tensor y, Tensor x, Tensor weights) { kernels.weightedSum(y, x, weights); }
        @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) { kernels.attention(y, q, k, v, starts, shape); }
        @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
            kernels.pagedAttention(y, q, keys, values, positions, sequences, pageTable, shape);
        }
        @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) { kernels.scatterRows(cache, x, slots); }
        @Override public void concat(Tensor y, Tensor a, Tensor b) { kernels.concat(y, a, b); }
        @Override public void columns(Tensor y, Tensor x, int from) { kernels.columns(y, x, from); }
        @Override public void gatherRows(Tensor y, Tensor x, Tensor rows) { kernels.gatherRows(y, x, rows); }
        @Override public void largest(Tensor y, Tensor x) { kernels.largest(y, x); }
        @Override public void dropout(Tensor y, Tensor x, float rate, long key) { kernels.dropout(y, x, rate, key); }
        @Override public void sum(Tensor y, Tensor x) { kernels.sum(y, x); }
        @Override public void sumOfSquares(Tensor y, Tensor x) { kernels.sumOfSquares(y, x); }
        @Override public void crossEntropy(Tensor y, Tensor logits, Tensor targets) { kernels.crossEntropy(y, logits, targets); }
        @Override public void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) { kernels.adamW(weight, gradient, m, v, step); }
        @Override public void average(Tensor average, Tensor weight, float share) { kernels.average(average, weight, share); }
        @Override public void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) { kernels.conv2d(y, x, weight, bias, convolution); }
        @Override public void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
            kernels.groupNorm(y, x, weight, bias, groups, eps, silu);
        }
        @Override public void resize(Tensor y, Tensor x, Resampling resampling) { kernels.resize(y, x, resampling); }
        @Override public void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
            kernels.crossAttention(y, q, k, v, sequences, lengths, bias, shape);
        }
        @Override public void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { kernels.modulate(y, x, scale, shift); }
        @Override public void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { kernels.gated(y, residual, x, gate); }
        @Override public void leakyRelu(Tensor y, Tensor x, float slope) { kernels.leakyRelu(y, x, slope); }
    }
}
