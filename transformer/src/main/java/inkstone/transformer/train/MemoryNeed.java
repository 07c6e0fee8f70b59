package inkstone.transformer.train;

import inkstone.tensor.Backend;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Optimizer;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.CausalModel;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.MachineMemory;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The most memory that a training run holds at a time, in bytes, known before it begins: the run's own code makes model and optimizer, carries the largest micro-batch forward and
 * back and judges it, on a {@link CountingBackend}. What the backend of the run allocates is foretold to the byte; what the JVM takes besides is an estimate.
 *
 * @param parameters  what learns, and its gradients
 * @param weights     what does not learn and is no mapped file: converted vectors
 * @param optimizer   states, and what a step needs for a while
 * @param averages    moving averages of the parameters
 * @param activations of one micro-batch, and their gradients
 * @param evaluation  activations of a validation batch, or the cache of the samples, whichever is more
 * @param mapped      files whose pages count as the process's while they are read; the system takes them back where memory is short
 * @param process     Java's heap, code and threads, and the scratch memory of kernels
 * @param device      whether what the backend allocates lies in memory of its own, apart from the process's: {@code weights} are then all that do not learn
 */
public record MemoryNeed(long parameters, long weights, long optimizer, long averages, long activations, long evaluation, long mapped, long process, boolean device) {
    /* Of the JVM apart from its heap: code, classes, threads, the compiler's and the kernels' scratch memory. Measured, Temurin 25 as ./inkstone starts it, 2 threads. */
    private static final long NATIVE = 100_000_000L;

    /** Makes the model of a run. */
    public interface Building { LanguageModel on(Backend backend, Parameters parameters) throws IOException; }

    /** Makes the optimizer of a run. */
    public interface Optimizing { Optimizer of(Backend backend, Map<String, Tensor> parameters); }

    /** Carries a micro-batch of the largest size forward. */
    public interface Loss {
        Tensor of(CausalModel model, Scope scope);

        /**
         * Of sequences of these lengths side by side.
         *
         * @param all whether every row is learned; where only some are, their hidden states are copied, and all but one is the most
         */
        static Loss ofLanguage(boolean all, int... lengths) {
            int rows = Arrays.stream(lengths).sum();
            var targets = new int[rows];
            if (!all && rows > 1) targets[0] = -1;
            return (model, scope) -> LanguageLoss.of(model, scope, new TokenBatch(new int[rows], targets, lengths), 1);
        }
    }

    /**
     * @param device        whether the backend of the run has memory of its own
     * @param mapped        bytes of the files that the run reads from
     * @param recompute     whether layers are computed twice to save memory
     * @param averages      whether averages of the parameters are kept
     * @param sampleContext tokens of context that samples are written in; 0 where none are
     */
    public static MemoryNeed of(boolean device, Building building, Optimizing optimizing, Loss loss, long mapped, boolean recompute, boolean averages, int sampleContext) throws IOException {
        var backend = new CountingBackend(device);
        try (var parameters = new Parameters(backend); var model = building.on(backend, parameters)) {
            long learning = 2 * DType.F32.bytes(parameters.count()), built = backend.held(), optimizer, activations;
            try (var made = optimizing.of(backend, parameters.tensors())) {
                made.step(1, 1, 1);
                optimizer = backend.held() - built;
            }
            try (var scope = recompute ? Scope.recomputing(backend) : Scope.training(backend)) {
                scope.backward(loss.of(model.model(), scope));
                scope.reset();                                                        // which puts together what the first step took piece by piece
                activations = scope.bytes();
            }
            long evaluation = evaluation(model.model(), loss, backend), samples = sampleContext == 0 ? 0 : samples(model, sampleContext, backend);
            long largest = parameters.tensors().values().stream().mapToLong(tensor -> tensor.data().byteSize()).max().orElse(0);
            /* A parameter passes through Java's heap when it is loaded, and a copy of it through the host's memory when it is saved. */
            return new MemoryNeed(learning, built - learning, optimizer, averages ? learning / 2 : 0, activations, Math.max(evaluation, samples), mapped, NATIVE + heap() + 2 * largest, device);
        }
    }

    private static long evaluation(CausalModel model, Loss loss, Backend backend) {
        try (var scope = Scope.inference(backend)) {
            loss.of(model, scope);
            return scope.bytes();
        }
    }

    private static long samples(LanguageModel model, int context, CountingBackend backend) {
        long before = backend.held();
        try (var session = Session.open(model, context, DType.F32)) {
            session.generate(new GenerationRequest(new int[context - 1], SamplerSettings.GREEDY, 1, List.of()), _ -> {});
            return backend.held() - before;
        }
    }

    private static long heap() { return Runtime.getRuntime().totalMemory(); }

    /** The same once the data is prepared, which is mapped from files of so many bytes: the heap that this took stays the process's. */
    public MemoryNeed prepared(long dataBytes) {
        return new MemoryNeed(parameters, weights, optimizer, averages, activations, evaluation, mapped + dataBytes, Math.max(process, NATIVE + heap()), device);
    }

    /** Numbers that learn: each takes itself and its gradient. */
    public long learning() { return parameters / (2 * Float.BYTES); }

    /** What the run's backend allocates. */
    public long allocated() { return parameters + weights + optimizer + averages + activations + evaluation; }

    /** What the process holds in memory at most, or the device. */
    public long total() { return device ? allocated() : allocated() + mapped + process; }

    /** What must be there: all but mapped files. */
    public long required() { return device ? allocated() : allocated() + process; }

    public boolean fits(long available) { return required() <= available; }

    /**
     * Throws where the run does not fit.
     *
     * @param available bytes of memory that are free, see {@link MachineMemory#available(Backend)}
     * @param instead   settings that would fit; empty where none do
     */
    public void require(long available, String what, Supplier<List<String>> instead) {
        if (fits(available)) return;
        var settings = instead.get();
        throw new ModelException("%s needs %s of %s (%s), %s are free; %s".formatted(what, gigabytes(required()), device ? "the GPU's memory" : "memory", parts(), gigabytes(available),
            settings.isEmpty() ? "take a smaller model, or a machine with more memory%s".formatted(device ? ", or --device cpu" : "") : "it fits with " + String.join(", or with ", settings)));
    }

    private String parts() {
        return "parameters and gradients %s, optimizer %s, averages %s, activations %s, evaluation %s%s".formatted(gigabytes(parameters + weights), gigabytes(optimizer), gigabytes(averages),
            gigabytes(activations), gigabytes(evaluation), device ? "" : ", Java " + gigabytes(process));
    }

    private static String gigabytes(long bytes) { return String.format(Locale.ROOT, bytes < 100_000_000 ? "%.2f GB" : "%.1f GB", bytes / 1e9); }
}
