package inkstone.transformer.train;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.cuda.CudaBackend;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Muon;
import inkstone.tensor.train.Optimizer;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.NewModel;
import inkstone.transformer.RandomWeights;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;

/**
 * Speed of whole training steps: gradients cleared, forward, backward, norm of the gradients, optimizer. {@code scripts/bench-training step} runs it, with the rate at which the
 * machine multiplies and adds in registers, measured just before and after.
 */
final class TrainingStepBench {
    private static final int WARM_UP = 4;

    private TrainingStepBench() {}

    /** @param arguments gpt2 or ink, threads or "cuda", steps to measure, and of gpt2 rows and tokens of a row */
    public static void main(String[] arguments) {
        int steps = Integer.parseInt(arguments[2]), rows = arguments.length > 4 ? Integer.parseInt(arguments[3]) : 4, context = arguments.length > 4 ? Integer.parseInt(arguments[4]) : 64;
        try (var backend = backend(arguments[1])) {
            switch (arguments[0]) {
                case "gpt2" -> run("GPT-2 124M, %d x %d, AdamW".formatted(rows, context), new NewModel.Size("gpt2", 12, 768, 12, 12, 3072, 1024, true, 10_000), 50257, backend, steps, rows, context, false);
                case "ink" -> run("embedded model, 2 x 1024, Muon", new NewModel.Size("llama", 8, 320, 5, 5, 864, 1024, true, 10_000), 6144, backend, steps, 2, 1024, true);
                default -> throw new IllegalArgumentException("expected gpt2 or ink, got " + arguments[0]);
            }
        }
    }

    private static Backend backend(String name) {
        if (name.equals("cuda")) return new CudaBackend(0, false);
        int threads = Integer.parseInt(name);
        return threads == 0 ? new CpuBackend() : new CpuBackend(threads);
    }

    private static void run(String name, NewModel.Size size, int vocabulary, Backend backend, int steps, int rows, int context, boolean muon) {
        try (var parameters = new Parameters(backend); var scope = Scope.training(backend)) {
            var model = RandomWeights.learning(size, vocabulary, parameters, backend);
            var random = new Random(1);
            int n = rows * context;
            var lengths = new int[rows];
            Arrays.fill(lengths, context);
            var nanos = new long[steps];
            double loss = 0;
            try (var optimizer = optimizer(muon, backend, parameters)) {
                for (int step = 0; step < WARM_UP + steps; step++) {
                    var batch = new TokenBatch(random.ints(n, 0, vocabulary).toArray(), random.ints(n, 0, vocabulary).toArray(), lengths);
                    long start = System.nanoTime();
                    scope.reset();
                    parameters.clearGradients();
                    var sum = LanguageLoss.of(model, scope, batch, 1f / n);
                    scope.backward(sum);
                    loss = sum.toFloats()[0];
                    double norm = parameters.gradientNorm();
                    optimizer.step(step + 1, 1e-4, norm > 1 ? (float) (1 / norm) : 1);
                    if (step >= WARM_UP) nanos[step - WARM_UP] = System.nanoTime() - start;
                }
            }
            Arrays.sort(nanos);
            double median = nanos[steps / 2] / 1e9, work = work(size, parameters, n, context);
            System.out.printf(Locale.ROOT, "%s: %d threads, %,d parameters, %.1f GFLOP a step, loss %.3f%n", name, backend.threads(), parameters.count(), work / 1e9, loss);
            System.out.printf(Locale.ROOT, "seconds %.4f best %.4f tokens/s %.0f gflops %.1f%n", median, nanos[0] / 1e9, n / median, work / 1e9 / median);
        }
    }

    private static Optimizer optimizer(boolean muon, Backend backend, Parameters parameters) {
        return muon ? new Muon(backend, parameters.tensors(), AdamW.Settings.USUAL, 1) : new AdamW(backend, parameters.tensors(), AdamW.Settings.USUAL, 1);
    }

    /**
     * Products and sums of a step, two operations each, as they are usually counted (Kaplan et al. 2020, arXiv:2001.08361, appendix): each number of a matrix works once forward and
     * twice back for every token, and so do the scores and sums of causal attention, of which a row has (context + 1) / 2 on average. The optimizer's work is not counted.
     */
    private static double work(NewModel.Size size, Parameters parameters, int n, int context) {
        double matrices = 0;
        for (var entry : parameters.tensors().entrySet()) {
            boolean table = entry.getKey().equals("position_embd.weight") || entry.getKey().equals("token_embd.weight") && !size.tied();
            if (entry.getValue().shape().rank() == 2 && !table) matrices += entry.getValue().shape().elements();
        }
        double attention = 2.0 * size.layers() * size.dim() * (context + 1) / 2;
        return 6 * n * (matrices + attention);
    }
}
