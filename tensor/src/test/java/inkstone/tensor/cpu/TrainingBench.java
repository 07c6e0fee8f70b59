package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;

import inkstone.tensor.AdamStep;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Blocks;
import inkstone.tensor.Convolution;
import inkstone.tensor.DType;
import inkstone.tensor.Rope;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;

/**
 * Speed of the kernels that training and pictures spend their time in, beside the rate at which this machine multiplies and adds in registers, measured in turns with them.
 * {@code scripts/bench-training} runs it.
 */
final class TrainingBench {
    private static final int[][] SHAPES = {{768, 768}, {768, 3072}, {3072, 768}, {768, 50257}, {320, 864}, {320, 320}, {864, 320}, {320, 8192}};
    private static final int[] ROWS = {256, 1024, 2048};

    private static final int PEAK_ROUNDS = 100_000;
    private static final double PEAK_PRODUCTS = 2e-9 * 12 * L * PEAK_ROUNDS;

    private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

    private final CpuBackend backend;
    private final Workers workers;
    private final long memory;

    private TrainingBench(int threads) {
        backend = new CpuBackend(threads);
        workers = new Workers(threads);
        memory = backend.allocate(4096L * threads).address();
    }

    public static void main(String[] arguments) {
        var bench = new TrainingBench(arguments.length > 1 ? Integer.parseInt(arguments[1]) : CpuBackend.defaultThreads());
        var what = arguments.length > 0 ? arguments[0] : "linear";
        if (!what.equals("peak")) System.out.printf("%d threads, %s%n", bench.backend.threads(), bench.backend.device());
        switch (what) {
            case "linear" -> bench.linears();
            case "attention" -> bench.attentions();
            case "convolution" -> bench.convolutions();
            case "rest" -> bench.rest();
            case "peak" -> System.out.printf(Locale.ROOT, "%.1f%n", PEAK_PRODUCTS * bench.workers.threads() / bench.seconds(bench::multiplyAdd)[0]);
            default -> throw new IllegalArgumentException("expected linear, attention, convolution, rest or peak, got " + what);
        }
    }

    private void linears() {
        System.out.printf("%-34s %7s %13s %13s %13s GFLOP/s%n", "in x out, rows", "peak", "forward", "dx", "dWeight");
        for (int[] shape : SHAPES) {
            for (int n : ROWS) {
                if (n == 2048 && shape[1] > 10_000) continue;
                try (var scope = Scope.inference(backend)) {
                    var random = new Random(1);
                    var x = normal(scope, random, n, shape[0]);
                    var w = normal(scope, random, shape[1], shape[0]);
                    var y = scope.floats(new float[n * shape[1]], n, shape[1]);
                    var dx = normal(scope, random, n, shape[0]);
                    var dw = normal(scope, random, shape[1], shape[0]);
                    double products = 2e-9 * n * shape[0] * shape[1];
                    report("%d x %d, %d".formatted(shape[0], shape[1], n), new double[] {products, products, products}, () -> backend.kernels().linear(y, x, w, null),
                        () -> backend.gradients().linearInput(dx, y, w), () -> backend.gradients().linearWeight(dw, null, y, x));
                }
            }
        }
    }

    /** Rates of the products that the formulas have, 2 there and 5 back, over the half of the scores that is seen; what is computed again does not count. */
    private void attentions() {
        System.out.printf("%-34s %7s %13s %13s GFLOP/s%n", "sequences, heads x headDim", "peak", "forward", "back");
        for (int[] heads : new int[][] {{5, 5, 64}, {10, 10, 32}, {12, 4, 64}, {8, 8, 128}}) {
            for (int length : new int[] {64, 256, 1024, 2048}) {
                int n = 2048;
                var shape = new AttentionShape(heads[0], heads[1], heads[2], (float) (1 / Math.sqrt(heads[2])));
                try (var scope = Scope.inference(backend)) {
                    var random = new Random(1);
                    Tensor q = normal(scope, random, n, shape.queryDim()), k = normal(scope, random, n, shape.keyDim()), v = normal(scope, random, n, shape.valueDim());
                    Tensor dq = normal(scope, random, n, shape.queryDim()), dk = normal(scope, random, n, shape.keyDim()), dv = normal(scope, random, n, shape.valueDim());
                    var starts = scope.ints(IntStream.range(0, n).map(i -> i / length * length).toArray());
                    Tensor y = q.attention(k, v, starts, shape), dy = normal(scope, random, n, shape.outputDim());
                    double products = 2e-9 * n * length / 2 * heads[0] * heads[2];
                    report("%d of %d, %d/%d x %d".formatted(n / length, length, heads[0], heads[1], heads[2]), new double[] {2 * products, 5 * products},
                        () -> backend.kernels().attention(y, q, k, v, starts, shape), () -> backend.gradients().attention(dq, dk, dv, dy, q, k, v, y, starts, shape));
                }
            }
        }
    }

    /** Pictures, height = width, in, window, out, stride. */
    private static final int[][] UNET = {{2, 64, 4, 3, 320, 1}, {2, 64, 320, 3, 320, 1}, {2, 64, 320, 3, 320, 2}, {2, 32, 640, 3, 640, 1}, {2, 16, 1280, 3, 1280, 1}, {2, 8, 1280, 3, 1280, 1},
        {2, 8, 2560, 3, 1280, 1}, {2, 32, 960, 1, 640, 1}},
        DECODER = {{1, 64, 4, 3, 512, 1}, {1, 64, 512, 3, 512, 1}, {1, 128, 512, 3, 512, 1}, {1, 256, 512, 3, 256, 1}, {1, 256, 512, 1, 256, 1}, {1, 256, 256, 3, 256, 1}, {1, 512, 256, 3, 128, 1},
            {1, 512, 128, 3, 128, 1}, {1, 512, 128, 3, 3, 1}},
        TRAINED = {{64, 32, 3, 3, 32, 1}, {64, 32, 32, 3, 32, 1}, {64, 32, 64, 3, 64, 1}, {64, 32, 128, 3, 128, 1}, {64, 32, 64, 3, 128, 2}, {64, 16, 128, 3, 128, 1}, {64, 32, 64, 4, 128, 2}, {64, 8, 256, 3, 256, 1}};

    private void convolutions() {
        System.out.printf("%-34s %7s %13s %13s %13s GFLOP/s%n", "pictures x size x in, window, out", "peak", "forward", "dx", "dWeight");
        for (var layer : UNET) convolution(layer, DType.F16, false);
        for (var layer : DECODER) convolution(layer, DType.F16, false);
        for (var layer : TRAINED) convolution(layer, DType.F32, true);
    }

    private void convolution(int[] layer, DType format, boolean back) {
        int n = layer[0], size = layer[1], in = layer[2], window = layer[3], out = layer[4], stride = layer[5];
        var c = new Convolution(stride, (window - 1) / 2);
        int places = c.places(size, window);
        try (var scope = Scope.inference(backend)) {
            var random = new Random(1);
            Tensor x = normal(scope, random, n, size, size, in), y = normal(scope, random, n, places, places, out), bias = normal(scope, random, out);
            Tensor dx = back ? normal(scope, random, n, size, size, in) : null, w = normal(scope, random, out, window, window, in);
            Tensor weight = format == DType.F32 ? w : Tensor.of(format, backend.allocate(format.bytes(w.shape().elements())), out, window, window, in), dw = back ? normal(scope, random, out, window, window, in) : null;
            if (weight != w) Blocks.fromFloats(format, w.toFloats(), weight.data(), 0, Math.toIntExact(w.shape().elements()));
            double products = 2e-9 * n * places * places * out * window * window * in;
            Runnable forward = () -> backend.kernels().conv2d(y, x, weight, bias, c);
            var name = "%d x %d x %d, %dx%d, %d%s %s".formatted(n, size, in, window, window, out, stride == 1 ? "" : " stride " + stride, format);
            if (!back) report(name, new double[] {products}, forward);
            else report(name, new double[] {products, products, products}, forward, () -> backend.gradients().conv2dInput(dx, y, weight, c),
                () -> backend.gradients().conv2dWeight(dw, null, y, x, c));
        }
    }

    /** Nanoseconds an element, there and back: 2048 rows of 864 (of heads 320, of logits 8192). */
    private void rest() {
        int n = 2048, d = 864, classes = 8192;
        try (var scope = Scope.inference(backend)) {
            var random = new Random(1);
            Tensor x = normal(scope, random, n, d), up = normal(scope, random, n, d), dy = normal(scope, random, n, d), dx = normal(scope, random, n, d), y = normal(scope, random, n, d);
            Tensor weight = normal(scope, random, d), dWeight = normal(scope, random, d), dUp = normal(scope, random, n, d), dim = normal(scope, random, n, 320);
            Tensor logits = normal(scope, random, n, classes), dLogits = normal(scope, random, n, classes), losses = normal(scope, random, n);
            var targets = scope.ints(random.ints(n, 0, classes).toArray());
            var positions = scope.ints(IntStream.range(0, n).toArray());
            var table = normal(scope, random, classes, 320);
            var kernels = backend.kernels();
            var gradients = backend.gradients();
            line("rmsNorm", n * d, () -> kernels.rmsNorm(y, x, weight, 1e-5f), () -> gradients.rmsNorm(dx, dWeight, dy, x, weight, 1e-5f));
            line("layerNorm", n * d, () -> kernels.layerNorm(y, x, weight, weight, 1e-5f), () -> gradients.layerNorm(dx, dWeight, dWeight, dy, x, weight, 1e-5f));
            line("swiglu", n * d, () -> kernels.swiglu(y, x, up), () -> gradients.swiglu(dx, dUp, dy, x, up));
            line("gelu", n * d, () -> kernels.gelu(y, x), () -> gradients.gelu(dx, dy, x));
            line("add, scale", n * d, () -> kernels.add(y, x, up), () -> gradients.scale(dx, dy, 1));
            line("dropout", n * d, () -> kernels.dropout(y, x, 0.1f, 7), () -> gradients.dropout(dx, dy, 0.1f, 7));
            for (var pairs : Rope.Pairs.values()) {
                var rope = new Rope(normal(scope, random, 32), 1, pairs, 64);
                line("rope " + pairs, n * 320, () -> kernels.rope(dim, dim, positions, rope), () -> gradients.rope(dim, dim, positions, rope));
            }
            line("embedding", n * 320, () -> kernels.embedding(dim, targets, table), () -> gradients.embedding(table, targets, dim));
            line("crossEntropy", n * classes, () -> kernels.crossEntropy(losses, logits, targets), () -> gradients.crossEntropy(dLogits, losses, logits, targets));
            Tensor w = normal(scope, random, n, classes), m = normal(scope, random, n, classes).scale(0), v = normal(scope, random, n, classes).scale(0);
            line("AdamW", n * classes, () -> kernels.adamW(w, logits, m, v, new AdamStep(3, 1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 1, 7)));
            long bytes = DType.Q8_0.bytes(n * classes);
            Tensor m8 = Tensor.of(DType.Q8_0, backend.allocate(bytes), n, classes), v8 = Tensor.of(DType.Q8_0, backend.allocate(bytes), n, classes);
            line("AdamW, 8 bits", n * classes, () -> kernels.adamW(w, logits, m8, v8, new AdamStep(3, 1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 1, 7)));
        }
    }

    private void line(String name, int elements, Runnable... kernels) {
        var line = new StringBuilder(String.format(Locale.ROOT, "%-24s", name));
        for (double seconds : seconds(kernels)) line.append(String.format(Locale.ROOT, " %8.3f ns", seconds * 1e9 / elements));
        System.out.println(line);
    }

    private void report(String name, double[] products, Runnable... kernels) {
        var all = Arrays.copyOf(kernels, kernels.length + 1);
        all[kernels.length] = this::multiplyAdd;
        var seconds = seconds(all);
        double peak = PEAK_PRODUCTS * workers.threads() / seconds[kernels.length];
        var line = new StringBuilder(String.format(Locale.ROOT, "%-34s %7.0f", name, peak));
        for (int i = 0; i < kernels.length; i++) line.append(String.format(Locale.ROOT, " %7.0f (%2.0f%%)", products[i] / seconds[i], 100 * products[i] / seconds[i] / peak));
        System.out.println(line);
    }

    /** Of one thread the time it had a processor, which others on this machine do not lengthen as much; of several the time that passed. */
    private long nanos() { return workers.threads() == 1 ? CLOCK.getCurrentThreadCpuTime() : System.nanoTime(); }

    /** What each kernel takes: the 20th percentile of runs in turns, since others may use this machine, after as many to warm up. */
    private double[] seconds(Runnable... kernels) {
        var nanos = new long[kernels.length][400];
        int runs = 0;
        for (int round = 0; round < 2; round++) {
            runs = 0;
            for (long begin = System.nanoTime(); runs < nanos[0].length && (runs < 5 || System.nanoTime() - begin < 1_000_000_000L); runs++) {
                for (int i = 0; i < kernels.length; i++) {
                    long start = nanos();
                    kernels[i].run();
                    nanos[i][runs] = nanos() - start;
                }
            }
        }
        var seconds = new double[kernels.length];
        for (int i = 0; i < kernels.length; i++) {
            Arrays.sort(nanos[i], 0, runs);
            seconds[i] = nanos[i][runs / 5] / 1e9;
        }
        return seconds;
    }

    /** All threads multiply and add what lies in registers. */
    private void multiplyAdd() { workers.run(workers.threads(), (worker, task) -> multiplyAdd(memory + 4096L * worker, PEAK_ROUNDS)); }

    private static void multiplyAdd(long to, int rounds) {
        FloatVector a = FloatVector.broadcast(F, 0.5f), b = FloatVector.broadcast(F, 0.25f);
        FloatVector s0 = FloatVector.zero(F), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;
        for (int i = 0; i < rounds; i++) {
            s0 = FMA ? s0.fma(a, b) : s0.mul(a).add(b);
            s1 = FMA ? s1.fma(a, b) : s1.mul(a).add(b);
            s2 = FMA ? s2.fma(a, b) : s2.mul(a).add(b);
            s3 = FMA ? s3.fma(a, b) : s3.mul(a).add(b);
            s4 = FMA ? s4.fma(a, b) : s4.mul(a).add(b);
            s5 = FMA ? s5.fma(a, b) : s5.mul(a).add(b);
            s6 = FMA ? s6.fma(a, b) : s6.mul(a).add(b);
            s7 = FMA ? s7.fma(a, b) : s7.mul(a).add(b);
            s8 = FMA ? s8.fma(a, b) : s8.mul(a).add(b);
            s9 = FMA ? s9.fma(a, b) : s9.mul(a).add(b);
            s10 = FMA ? s10.fma(a, b) : s10.mul(a).add(b);
            s11 = FMA ? s11.fma(a, b) : s11.mul(a).add(b);
        }
        s0.add(s1).add(s2).add(s3).add(s4).add(s5).add(s6).add(s7).add(s8).add(s9).add(s10).add(s11).intoMemorySegment(MEMORY, to, ORDER);
    }

    private static Tensor normal(Scope scope, Random random, int... dims) {
        var tensor = scope.tensor(DType.F32, dims);
        var values = new float[Math.toIntExact(tensor.shape().elements())];
        for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
        return tensor.set(values);
    }
}
