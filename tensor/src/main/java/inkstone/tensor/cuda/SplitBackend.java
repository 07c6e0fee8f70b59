package inkstone.tensor.cuda;

import inkstone.tensor.AdamStep;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Gradients;
import inkstone.tensor.Kernels;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Resampling;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.function.IntPredicate;
import java.util.function.Predicate;

/**
 * A model of which a part is on a GPU and the rest on the CPU, because the GPU's memory does not hold all of it. Each kernel runs where its weights or its cache are, and one without
 * stays where the last one ran. Activations are in memory that both have at the same address, whose pages the driver moves to whoever touches them: between two parts of the model
 * that is a row of activations for each token. The CPU waits for the GPU when the work comes to it. The first model that is opened is split; a draft beside it is the CPU's. For running
 * models, not for training. Owns both backends. One thread.
 */
public final class SplitBackend implements Backend {
    private final Backend cpu;
    private final CudaBackend gpu;
    private final IntPredicate layers;
    private final Predicate<String> parameters;
    private final long bytes;
    private final Kernels kernels = new Placed();
    /** Whether kernels are being launched on the GPU, which may not have finished. */
    private boolean onGpu;
    /** How many models were opened. */
    private int models;

    /**
     * @param layers     which are on the GPU, from 0, for their caches
     * @param parameters which are on the GPU, by their names in the file
     * @param bytes      what these parameters take
     * @throws CudaAbsent where host and GPU cannot share memory
     */
    public SplitBackend(Backend cpu, CudaBackend gpu, IntPredicate layers, Predicate<String> parameters, long bytes) {
        if (!gpu.managed()) throw new CudaAbsent(true, "a part of a model on the GPU needs memory that it shares with the CPU, which Windows and some virtual machines do not give");
        this.cpu = cpu;
        this.gpu = gpu;
        this.layers = layers;
        this.parameters = parameters;
        this.bytes = bytes;
    }

    @Override public String name() { return "cuda+cpu"; }
    @Override public String device() { return gpu.device() + " and CPU"; }
    @Override public int threads() { return cpu.threads(); }
    @Override public Kernels kernels() { return kernels; }
    @Override public Gradients gradients() { throw new UnsupportedOperationException("a model that is partly on the GPU can be run, not trained: train with --device cpu, or cuda where it fits"); }
    @Override public Backend ofLayer(int layer) { return layers.test(layer) ? gpu : cpu; }

    @Override public void expect(int parameters, long bytes) {
        if (models++ == 0) gpu.expect(parameters, this.bytes);
    }

    // ---- memory ------------------------------------------------------------------------------------------------------------------------------------

    @Override public MemorySegment allocate(long bytes) { return gpu.managed(bytes).fill((byte) 0); }
    @Override public void free(MemorySegment memory) { gpu.free(memory); }
    @Override public MemorySegment resident(MemorySegment host) { return gpu.managed(host); }
    @Override public MemorySegment resident(String name, MemorySegment host) { return models <= 1 && parameters.test(name) ? gpu.resident(name, host) : cpu.resident(name, host); }

    @Override public void upload(MemorySegment destination, MemorySegment host) {
        toCpu();
        if (gpu.place(destination) == DeviceMemory.Place.DEVICE) gpu.upload(destination, host); else destination.copyFrom(host);
    }

    @Override public void download(MemorySegment host, MemorySegment source) {
        toCpu();
        if (gpu.place(source) == DeviceMemory.Place.DEVICE) gpu.download(host, source); else host.copyFrom(source);
    }

    @Override public void copy(MemorySegment destination, MemorySegment source) {
        if (onGpu) gpu.copy(destination, source); else cpu.copy(destination, source);
    }

    @Override public void clear(MemorySegment memory) {
        if (onGpu) gpu.clear(memory); else cpu.clear(memory);
    }

    // ---- kernels -----------------------------------------------------------------------------------------------------------------------------------

    @Override public void synchronize() { toCpu(); }

    private void toCpu() {
        if (onGpu) gpu.synchronize();
        onGpu = false;
    }

    /** The kernels of where these tensors are. Null is nowhere. */
    private Kernels at(Tensor... deciding) {
        boolean host = false, device = false;
        for (var tensor : deciding) {
            if (tensor == null) continue;
            switch (gpu.place(tensor.data())) {
                case HOST -> host = true;
                case DEVICE -> device = true;
                case BOTH -> { }
            }
        }
        if (host && device) throw new IllegalStateException("a kernel needs memory of the CPU and memory of the GPU");
        if (host) toCpu();
        if (device) onGpu = true;
        return onGpu ? gpu.kernels() : cpu.kernels();
    }

    private Kernels at(Recurrence recurrence, Tensor... weights) {
        at(weights);
        return at(recurrence.state());
    }

    private final class Placed implements Kernels {
        @Override public void embedding(Tensor y, Tensor tokens, Tensor table) { at(table).embedding(y, tokens, table); }
        @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) { at(weight, bias).linear(y, x, weight, bias); }
        @Override public void add(Tensor y, Tensor a, Tensor b) { at(a, b).add(y, a, b); }
        @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) { at(weight).rmsNorm(y, x, weight, eps); }
        @Override public void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) { at(weight, bias).layerNorm(y, x, weight, bias, eps); }
        @Override public void scale(Tensor y, Tensor x, float factor) { at(x).scale(y, x, factor); }
        @Override public void softCap(Tensor y, Tensor x, float cap) { at(x).softCap(y, x, cap); }
        @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope rope) { at(x).rope(y, x, positions, rope); }
        @Override public void swiglu(Tensor y, Tensor gate, Tensor up) { at(gate).swiglu(y, gate, up); }
        @Override public void gelu(Tensor y, Tensor x) { at(x).gelu(y, x); }
        @Override public void geglu(Tensor y, Tensor gate, Tensor up) { at(gate).geglu(y, gate, up); }
        @Override public void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) { at(gate).clampedSwiglu(y, gate, up, alpha, limit); }
        @Override public void map(Tensor y, Tensor x, Elementwise function) { at(x).map(y, x, function); }
        @Override public void mul(Tensor y, Tensor a, Tensor b) { at(a, b).mul(y, a, b); }
        @Override public void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) { at(factors, divisors, bias).scaleColumns(y, x, factors, divisors, bias); }
        @Override public void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) { at(weight, a, b).rowLengths(lengths, weight, a, b, scale); }
        @Override public void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) { at(weight).lerp(y, a, b, weight); }
        @Override public void shift(Tensor y, Tensor x, Recurrence recurrence) { at(recurrence).shift(y, x, recurrence); }
        @Override public void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence) { at(recurrence, weight, bias).causalConv(y, x, weight, bias, recurrence); }
        @Override public void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
            at(recurrence, a, skip).selectiveScan(y, x, dt, b, c, a, skip, recurrence);
        }
        @Override public void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
            at(recurrence, a, skip).ssdScan(y, x, dt, b, c, a, skip, recurrence);
        }
        @Override public void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence recurrence) {
            at(recurrence, a, bias).gatedDelta(y, q, k, v, dt, rate, a, bias, tiled, eps, recurrence);
        }
        @Override public void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight,
                                   int headDim, Recurrence recurrence) {
            at(recurrence, removal, replacement, weight).wkv7(y, bonus, r, decay, k, v, rate, removal, replacement, weight, headDim, recurrence);
        }
        @Override public void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) { at(scores, bias).route(experts, weights, scores, bias, routing); }
        @Override public void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) { at(weight, bias).expertLinear(y, x, weight, bias, experts); }
        @Override public void weightedSum(Tensor y, Tensor x, Tensor weights) { at(x).weightedSum(y, x, weights); }
        @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) { at(q, shape.sinks()).attention(y, q, k, v, starts, shape); }
        @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
            at(keys, values, shape.sinks()).pagedAttention(y, q, keys, values, positions, sequences, pageTable, shape);
        }
        @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) { at(cache).scatterRows(cache, x, slots); }
        @Override public void concat(Tensor y, Tensor a, Tensor b) { at(a, b).concat(y, a, b); }
        @Override public void columns(Tensor y, Tensor x, int from) { at(x).columns(y, x, from); }
        @Override public void gatherRows(Tensor y, Tensor x, Tensor rows) { at(x).gatherRows(y, x, rows); }
        @Override public void largest(Tensor y, Tensor logits) { at(logits).largest(y, logits); }
        @Override public void dropout(Tensor y, Tensor x, float rate, long key) { at(x).dropout(y, x, rate, key); }
        @Override public void sum(Tensor y, Tensor x) { at(x).sum(y, x); }
        @Override public void sumOfSquares(Tensor y, Tensor x) { at(x).sumOfSquares(y, x); }
        @Override public void crossEntropy(Tensor y, Tensor logits, Tensor targets) { at(logits).crossEntropy(y, logits, targets); }
        @Override public void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) { at(weight).adamW(weight, gradient, m, v, step); }
        @Override public void average(Tensor average, Tensor weight, float share) { at(weight).average(average, weight, share); }
        @Override public void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) { at(weight, bias).conv2d(y, x, weight, bias, convolution); }
        @Override public void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
            at(weight, bias).groupNorm(y, x, weight, bias, groups, eps, silu);
        }
        @Override public void resize(Tensor y, Tensor x, Resampling resampling) { at(x).resize(y, x, resampling); }
        @Override public void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
            at(q, k, v).crossAttention(y, q, k, v, sequences, lengths, bias, shape);
        }
        @Override public void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { at(x, scale, shift).modulate(y, x, scale, shift); }
        @Override public void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { at(residual, x, gate).gated(y, residual, x, gate); }
        @Override public void leakyRelu(Tensor y, Tensor x, float slope) { at(x).leakyRelu(y, x, slope); }
    }

    @Override public void close() {
        cpu.close();
        gpu.close();
    }
}
