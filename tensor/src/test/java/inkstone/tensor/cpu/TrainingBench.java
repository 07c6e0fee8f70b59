package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;

import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import jdk.incubator.vector.FloatVector;

/**
 * Speed of the kernels that training spends its time in, beside the rate at which this machine multiplies and adds in registers, measured in turns with them.
 * {@code scripts/bench-training [linear|attention|rest] [THREADS]} runs it.
 */
final class TrainingBench {
    private static final int[][] SHAPES = {{768, 768}, {768, 3072}, {3072, 768}, {768, 50257}, {320, 864}, {320, 320}, {864, 320}, {320, 8192}};
    private static final int[] ROWS = {256, 1024, 2048};

    private static final int PEAK_ROUNDS = 100_000;
    private static final double PEAK_PRODUCTS = 2e-9 * 12 * L * PEAK_ROUNDS;

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
        System.out.printf("%d threads, vectors of %d bits, fused multiply-add %s%n", bench.backend.threads(), bench.backend.vectorBits(), bench.backend.fusedMultiplyAdd());
        var what = arguments.length > 0 ? arguments[0] : "linear";
        switch (what) {
            case "linear" -> bench.linears();
            default -> throw new IllegalArgumentException("expected linear, attention or rest, got " + what);
        }
    }

    private void linears() {
        System.out.printf("%-24s %7s %13s %13s %13s GFLOP/s%n", "in x out, rows", "peak", "forward", "dx", "dWeight");
        for (int[] shape : SHAPES) {
            for (int n : ROWS) {
                if (n == 2048 && shape[1] > 10_000) continue;
                if (Integer.getInteger("n", n) != n || Integer.getInteger("in", shape[0]) != shape[0] || Integer.getInteger("out", shape[1]) != shape[1]) continue;
                try (var scope = Scope.inference(backend)) {
                    var random = new Random(1);
                    var x = normal(scope, random, n, shape[0]);
                    var w = normal(scope, random, shape[1], shape[0]);
                    var y = scope.floats(new float[n * shape[1]], n, shape[1]);
                    var dx = normal(scope, random, n, shape[0]);
                    var dw = normal(scope, random, shape[1], shape[0]);
                    double products = 2e-9 * n * shape[0] * shape[1];
                    report("%d x %d, %d".formatted(shape[0], shape[1], n), products, () -> backend.kernels().linear(y, x, w, null),
                        () -> backend.gradients().linearInput(dx, y, w), () -> backend.gradients().linearWeight(dw, null, y, x));
                }
            }
        }
    }

    private void report(String name, double products, Runnable... kernels) {
        var all = Arrays.copyOf(kernels, kernels.length + 1);
        all[kernels.length] = this::multiplyAdd;
        var seconds = seconds(all);
        double peak = PEAK_PRODUCTS * workers.threads() / seconds[kernels.length];
        var line = new StringBuilder(String.format(Locale.ROOT, "%-24s %7.0f", name, peak));
        for (int i = 0; i < kernels.length; i++) line.append(String.format(Locale.ROOT, " %7.0f (%2.0f%%)", products / seconds[i], 100 * products / seconds[i] / peak));
        System.out.println(line);
    }

    /** What each kernel takes: the 20th percentile of runs in turns, since others may use this machine, after as many to warm up. */
    private static double[] seconds(Runnable... kernels) {
        var nanos = new long[kernels.length][400];
        int runs = 0;
        for (int round = 0; round < 2; round++) {
            runs = 0;
            for (long begin = System.nanoTime(); runs < nanos[0].length && (runs < 5 || System.nanoTime() - begin < 1_000_000_000L); runs++) {
                for (int i = 0; i < kernels.length; i++) {
                    long start = System.nanoTime();
                    kernels[i].run();
                    nanos[i][runs] = System.nanoTime() - start;
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
