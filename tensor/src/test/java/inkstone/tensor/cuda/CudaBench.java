package inkstone.tensor.cuda;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import jcuda.driver.CUdevice_attribute;

/**
 * Speed of the kernels on a GPU, by the GPU's own clock (events around several launches; the median of some rounds), at shapes of models of 1 and 8 billion parameters. Prints a
 * line for each figure: section, what, value, unit, note, with tabs between; {@code scripts/gpu-check} makes a table of them. On the stand-in the shapes are small, and the figures
 * say only that it runs.
 */
final class CudaBench {
    private static final int ROUNDS = 5;
    /** Weights that are read in turn fill this much, so that no cache holds them (an H200's is 50 MB). */
    private static final long BEYOND_CACHES = 400L << 20;

    private final CudaBackend backend;
    /** What sizes are divided by. */
    private final int shrink;
    /** Bytes a second that the memory's clock and width make, by the driver's word; 0 where it does not say. */
    private final double bandwidth;

    private CudaBench(CudaBackend backend, double bandwidth) {
        this.backend = backend;
        this.bandwidth = bandwidth;
        shrink = backend.device().startsWith("CPU emulation") ? 32 : 1;
    }

    public static void main(String[] arguments) throws IOException {
        double bandwidth = probe();
        try (var backend = new CudaBackend(0, false)) {
            var bench = new CudaBench(backend, bandwidth);
            bench.launches();
            bench.matrixVector();
            bench.products();
            bench.attention();
        }
    }

    private static void row(String section, String what, double value, String unit, String note) {
        System.out.printf(Locale.ROOT, "%s\t%s\t%.4g\t%s\t%s%n", section, what, value, unit, note);
        System.out.flush();
    }

    // ---- the device -----------------------------------------------------------------------------------------------------------------------------------

    /** The device, and how long its driver takes to compile the kernels; the bandwidth of its memory. */
    private static double probe() throws IOException {
        try (var gpu = new Gpu(0, false)) {
            var device = CudaDriver.device(0);
            long[] memory = CudaDriver.memory();
            row("probe", gpu.name, gpu.major + gpu.minor / 10.0, "compute capability", "driver speaks CUDA %d.%d".formatted(CudaDriver.version() / 1000, CudaDriver.version() % 1000 / 10));
            row("probe", "multiprocessors", gpu.multiprocessors, "", "%,d bytes of shared memory a block".formatted(gpu.sharedMemory));
            row("probe", "memory", memory[1] / 1e9, "GB", "%.1f GB free".formatted(memory[0] / 1e9));
            double clock = CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) * 1e3;
            double bandwidth = 2 * clock * CudaDriver.attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / 8;
            row("probe", "memory bandwidth", bandwidth / 1e9, "GB/s", "by clock and width");
            var seconds = new TreeMap<String, Double>();
            for (var file : files()) {
                long start = System.nanoTime();
                gpu.module(file);
                seconds.put(file, (System.nanoTime() - start) / 1e9);
            }
            var slowest = seconds.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow();
            row("load", "all kernel files", seconds.values().stream().mapToDouble(s -> s).sum(), "s", "%d files; most for %s, %.3f s".formatted(seconds.size(), slowest.getKey(), slowest.getValue()));
            return bandwidth;
        }
    }

    /** The kernel files that the program carries. */
    private static List<String> files() throws IOException {
        try (var manifest = new BufferedReader(new InputStreamReader(CudaBench.class.getResourceAsStream(PtxFiles.FOLDER + "MANIFEST"), StandardCharsets.UTF_8))) {
            return manifest.lines().filter(line -> line.endsWith(".cu")).map(line -> line.substring(line.lastIndexOf(' ') + 1).replace(".cu", "")).toList();
        }
    }

    // ---- measuring ------------------------------------------------------------------------------------------------------------------------------------

    /** Seconds of one launch or step on the device: the median of rounds of so many. */
    private double seconds(int count, Runnable work) {
        var from = CudaDriver.event();
        var to = CudaDriver.event();
        var rounds = new double[ROUNDS];
        for (int i = 0; i < 2; i++) work.run();
        for (int round = 0; round < ROUNDS; round++) {
            CudaDriver.record(from, backend.stream());
            for (int i = 0; i < count; i++) work.run();
            CudaDriver.record(to, backend.stream());
            CudaDriver.await(to);
            rounds[round] = CudaDriver.milliseconds(from, to) / 1e3 / count;
        }
        CudaDriver.destroy(from);
        CudaDriver.destroy(to);
        Arrays.sort(rounds);
        return rounds[ROUNDS / 2];
    }

    /** A weight of random bits, but for signs of infinity: kernels are as fast whatever the numbers are. */
    private Tensor weight(DType format, int... dims) {
        long elements = 1;
        for (int d : dims) elements *= d;
        long bytes = format.bytes(elements);
        var memory = backend.allocate(bytes);
        try (var arena = Arena.ofConfined()) {
            var part = arena.allocate(Math.min(bytes, 4 << 20));
            var random = new Random(1);
            for (long i = 0; i + 4 <= part.byteSize(); i += 4) part.set(ValueLayout.JAVA_INT, i, random.nextInt() & 0x3fff3fff);
            for (long at = 0; at < bytes; at += part.byteSize()) {
                long count = Math.min(part.byteSize(), bytes - at);
                backend.upload(memory.asSlice(at, count), part.asSlice(0, count));
            }
        }
        return Tensor.of(format, memory, dims);
    }

    private static float[] normal(int count) {
        var random = new Random(2);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    private int shrunk(int size) { return Math.max(256, size / shrink / 256 * 256); }

    // ---- figures --------------------------------------------------------------------------------------------------------------------------------------

    /** What a launch costs: by itself, and as one of many in a recorded step. */
    private void launches() {
        int count = 1000 / Math.min(shrink, 10);
        try (var scope = Scope.inference(backend)) {
            Tensor x = scope.floats(new float[32], 32), y = scope.floats(new float[32], 32);
            Runnable launch = () -> backend.kernels().scale(y, x, 0.5f);
            for (int i = 0; i < 100; i++) launch.run();
            backend.synchronize();
            long start = System.nanoTime();
            for (int i = 0; i < count; i++) launch.run();
            row("launch", "a launch, for the host", (System.nanoTime() - start) / 1e3 / count, "us", "");
            backend.synchronize();
            row("launch", "a small kernel after another", seconds(count, launch) * 1e6, "us", "one stream");
            Runnable step = () -> backend.replay("launches", () -> {
                for (int i = 0; i < count; i++) launch.run();
                return y;
            });
            row("launch", "a small kernel in a graph", seconds(1, step) * 1e6 / count, "us", count + " in a graph");
        }
    }

    /** One row through matrices that no cache holds: bytes of weights a second. */
    private void matrixVector() {
        int[][] shapes = {{2048, 8192}, {8192, 2048}, {4096, 4096}, {4096, 14336}, {14336, 4096}, {4096, 128256}};
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            for (int[] shape : shapes) {
                int in = shrunk(shape[0]), out = shrunk(shape[1]);
                long bytes = format.bytes((long) in * out);
                int copies = shrink > 1 ? 1 : (int) Math.clamp(BEYOND_CACHES / bytes, 2, 64);
                var weights = IntStream.range(0, copies).mapToObj(_ -> weight(format, out, in)).toList();
                try (var scope = Scope.inference(backend)) {
                    Tensor x = scope.floats(normal(in), 1, in), y = scope.tensor(DType.F32, 1, out);
                    double seconds = seconds(1, () -> weights.forEach(w -> backend.kernels().linear(y, x, w, null))) / copies;
                    var share = bandwidth > 0 ? "%.0f%% of the bandwidth".formatted(100 * bytes / seconds / bandwidth) : "";
                    row("matrix-vector", "%s %d -> %d".formatted(format, in, out), bytes / seconds / 1e9, "GB/s", share);
                } catch (UnsupportedOperationException e) {
                    row("matrix-vector", "%s %d -> %d".formatted(format, in, out), Double.NaN, "", e.getMessage());
                }
                weights.forEach(w -> backend.free(w.data()));
            }
        }
    }

    /** Products of many rows, there and back: operations a second, two a product. */
    private void products() {
        for (int size : new int[] {4096, 8192}) {
            int n = shrunk(size);
            double work = 2.0 * n * n * n / 1e12;
            for (var format : new DType[] {DType.F32, DType.BF16, DType.F16, DType.Q8_0, DType.Q4_K, DType.Q6_K}) {
                var w = weight(format, n, n);
                try (var scope = Scope.inference(backend)) {
                    Tensor x = scope.floats(normal(n * n), n, n), y = scope.tensor(DType.F32, n, n);
                    row("products", "%s %d^3, y = x W".formatted(format, n), work / seconds(3, () -> backend.kernels().linear(y, x, w, null)), "TFLOP/s", "");
                    if (format == DType.BF16 || format == DType.Q4_K) {
                        row("products", "%s %d^3, dx = dy W".formatted(format, n), work / seconds(3, () -> backend.gradients().linearInput(y, x, w)), "TFLOP/s", "");
                    }
                    if (format == DType.F32) {
                        row("products", "F32 %d^3, dW = dy' x".formatted(n), work / seconds(3, () -> backend.gradients().linearWeight(w, null, y, x)), "TFLOP/s", "");
                    }
                } catch (UnsupportedOperationException e) {
                    row("products", "%s %d^3".formatted(format, n), Double.NaN, "", e.getMessage());
                }
                backend.free(w.data());
            }
        }
    }

    /** Attention of an 8B model (32 heads of 128 over 8): a prompt there and back, and one token after many. */
    private void attention() {
        var shape = new AttentionShape(32, 8, 128, 0.088f);
        for (int tokens : new int[] {2048, 8192}) {
            int n = Math.max(64, tokens / shrink);
            try (var scope = Scope.inference(backend)) {
                var q = scope.floats(normal(n * shape.queryDim()), n, shape.queryDim());
                Tensor k = scope.floats(normal(n * shape.keyDim()), n, shape.keyDim()), v = scope.floats(normal(n * shape.valueDim()), n, shape.valueDim());
                Tensor starts = scope.ints(new int[n]), y = scope.tensor(DType.F32, n, shape.queryDim());
                double work = 2.0 * n * (n + 1) * shape.queryDim() / 1e12;                    // scores and sums of half a square
                row("attention", "prompt of %d".formatted(n), work / seconds(3, () -> backend.kernels().attention(y, q, k, v, starts, shape)), "TFLOP/s", "32/8 heads of 128");
                Tensor dq = scope.tensor(DType.F32, n, shape.queryDim()), dk = scope.tensor(DType.F32, n, shape.keyDim()), dv = scope.tensor(DType.F32, n, shape.valueDim());
                row("attention", "prompt of %d, back".formatted(n), 2.5 * work / seconds(3, () -> backend.gradients().attention(dq, dk, dv, y, q, k, v, y, starts, shape)), "TFLOP/s", "");
            }
        }
        for (var cache : new DType[] {DType.F16, DType.Q8_0}) {
            for (int context : new int[] {4096, 32768}) {
                int length = Math.max(64, context / shrink), pages = Math.ceilDiv(length, 32), copies = shrink > 1 ? 1 : 8;
                var keys = new ArrayList<Tensor>();
                for (int i = 0; i < 2 * copies; i++) keys.add(weight(cache, pages, 32, shape.keyDim()));
                try (var scope = Scope.inference(backend)) {
                    Tensor q = scope.floats(normal(shape.queryDim()), 1, shape.queryDim()), y = scope.tensor(DType.F32, 1, shape.queryDim());
                    Tensor positions = scope.ints(length - 1), sequences = scope.ints(0);
                    var table = scope.tensor(DType.I32, 1, pages).set(IntStream.range(0, pages).toArray());
                    double seconds = seconds(1, () -> {
                        for (int i = 0; i < copies; i++) backend.kernels().pagedAttention(y, q, keys.get(2 * i), keys.get(2 * i + 1), positions, sequences, table, shape);
                    }) / copies;
                    double bytes = 2.0 * cache.bytes((long) length * shape.keyDim());
                    row("attention", "token after %d, %s".formatted(length, cache), bytes / seconds / 1e9, "GB/s", "%.1f us".formatted(seconds * 1e6));
                }
                keys.forEach(w -> backend.free(w.data()));
            }
        }
    }
}
