package inkstone.tensor.checkpoint;

import inkstone.tensor.AdaptedWeights;
import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The parameters of a file, on a backend. Matrices keep the file's format and, on a CPU, its bytes; one-dimensional ones (norms, biases) become F32,
 * which is what kernels take, and so do those that are asked for as floats. Memory that had to be allocated belongs to this object until {@link #close}; the file must stay open, and the tensors
 * die with either. Any thread may ask.
 */
public final class CheckpointWeights implements Weights, AutoCloseable {
    /** How many problems of a kind a message names. */
    private static final int SHOWN = 8;

    private final Checkpoint checkpoint;
    private final Backend backend;
    private final String source;
    private final boolean loading;
    private final UnaryOperator<Weights> decorator;
    /** Guards what is loaded and itself. */
    private final Map<String, Tensor> loaded;
    private final List<MemorySegment> owned;

    /** Models ask by the names in the file. */
    public CheckpointWeights(Checkpoint checkpoint, Backend backend) { this(checkpoint, backend, UnaryOperator.identity()); }

    /** @param decorator puts itself between these weights and the models that {@link #build} makes */
    public CheckpointWeights(Checkpoint checkpoint, Backend backend, UnaryOperator<Weights> decorator) {
        this(checkpoint, backend, true, decorator, new HashMap<>(), new ArrayList<>());
    }

    private CheckpointWeights(Checkpoint checkpoint, Backend backend, boolean loading, UnaryOperator<Weights> decorator, Map<String, Tensor> loaded, List<MemorySegment> owned) {
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.source = checkpoint.metadata().source();
        this.loading = loading;
        this.decorator = decorator;
        this.loaded = loaded;
        this.owned = owned;
    }

    /** Weights that tell what a model lacks, but have no memory: what {@link #build} makes of them cannot run. */
    public static CheckpointWeights unread(Checkpoint checkpoint, Backend backend) {
        return new CheckpointWeights(checkpoint, backend, false, UnaryOperator.identity(), new HashMap<>(), new ArrayList<>());
    }

    /** The same weights, in the same memory, of which {@link #build} makes a model with adapted linear maps. They die with these, and need no close of their own. */
    public CheckpointWeights adapted(AdaptedWeights.Adaptation adaptation) {
        return new CheckpointWeights(checkpoint, backend, loading, weights -> new AdaptedWeights(decorator.apply(weights), adaptation), loaded, owned);
    }

    /**
     * Makes a model of these weights and makes sure that they are its weights: where a tensor it asks for is absent or of another shape or format, or the
     * file has one it never asks for, one exception lists all of them. {@link Weights#has} counts as asking, so a tensor is left aside on purpose by
     * asking whether it is there; integer tensors (position tables) may be left over. {@code model} runs once. What it gets for a tensor that does not
     * fit has the right shape and no memory, so it may only read values of tensors it asked {@code has} about.
     *
     * @throws ModelException naming all that does not fit
     */
    public <M> M build(Function<Weights, M> model) {
        var survey = new Survey();
        var built = model.apply(decorator.apply(survey));
        survey.report();
        return built;
    }

    @Override public Tensor tensor(String name, int... dims) {
        problem(name, new Shape(dims)).ifPresent(problem -> { throw new ModelException("%s: %s".formatted(source, problem)); });
        return loaded(name, dims.length == 1, dims);
    }

    @Override public Tensor floats(String name, int... dims) {
        problem(name, new Shape(dims)).ifPresent(problem -> { throw new ModelException("%s: %s".formatted(source, problem)); });
        return loaded(name, true, dims);
    }

    @Override public Optional<float[]> values(String name, int... dims) {
        problem(name, new Shape(dims)).ifPresent(problem -> { throw new ModelException("%s: %s".formatted(source, problem)); });
        return Optional.of(floats(checkpoint.tensors().get(name), checkpoint.data(name)));
    }

    private Tensor loaded(String name, boolean asFloats, int[] dims) {
        synchronized (loaded) {
            return loaded.computeIfAbsent(name, _ -> {
                var parameter = load(checkpoint.tensors().get(name), asFloats, dims);
                backend.loaded(name, parameter);
                return parameter;
            });
        }
    }

    @Override public boolean has(String name) { return checkpoint.tensors().containsKey(name) || checkpoint.unsupported().containsKey(name); }

    /** Frees what was allocated for these weights; the file stays open. */
    @Override public void close() {
        synchronized (loaded) {
            owned.forEach(backend::free);
            owned.clear();
            loaded.clear();
        }
    }

    private Tensor load(TensorInfo info, boolean asFloats, int[] dims) {
        var bytes = checkpoint.data(info.name());
        if (asFloats && info.dtype() != DType.F32 && info.dtype() != DType.I32) return Tensor.of(DType.F32, converted(info, bytes), dims);
        var memory = backend.resident(info.name(), bytes);
        if (!memory.equals(bytes)) owned.add(memory);
        return Tensor.of(info.dtype(), memory, dims);
    }

    private static float[] floats(TensorInfo info, MemorySegment bytes) {
        var values = new float[Math.toIntExact(info.shape().elements())];
        Blocks.toFloats(info.dtype(), bytes, 0, values, values.length);
        return values;
    }

    private MemorySegment converted(TensorInfo info, MemorySegment bytes) {
        var values = floats(info, bytes);
        var memory = backend.allocate(DType.F32.bytes(values.length));
        owned.add(memory);
        backend.upload(memory, MemorySegment.ofArray(values));
        return memory;
    }

    // ---- checks ----------------------------------------------------------------------------------------------------------------------------------------

    /** Why a model cannot have this parameter. */
    private Optional<String> problem(String name, Shape expected) {
        if (!has(name)) return Optional.of("tensor %s %s is missing".formatted(Diagnosis.shown(name), expected));
        var info = checkpoint.tensors().get(name);
        if (info == null) return Optional.of(Contents.noKernel(checkpoint.origin(name), checkpoint.unsupported().get(name)));
        if (!info.shape().equals(expected)) return Optional.of("tensor %s should be %s, found %s".formatted(Diagnosis.shown(checkpoint.origin(name)), expected, info.shape()));
        return Optional.empty();
    }

    /** Notes what a model asks for and what is wrong with it. After the first problem nothing more is loaded. */
    private final class Survey implements Weights {
        private final Set<String> asked = new HashSet<>(), problems = new LinkedHashSet<>();

        @Override public Tensor tensor(String name, int... dims) { return fits(name, dims) ? CheckpointWeights.this.tensor(name, dims) : placeholder(dims); }
        @Override public Tensor floats(String name, int... dims) { return fits(name, dims) ? CheckpointWeights.this.floats(name, dims) : placeholder(dims); }

        @Override public Optional<float[]> values(String name, int... dims) { return fits(name, dims) ? CheckpointWeights.this.values(name, dims) : Optional.empty(); }

        private boolean fits(String name, int[] dims) {
            asked.add(name);
            problem(name, new Shape(dims)).ifPresent(problems::add);
            return loading && problems.isEmpty();
        }

        @Override public boolean has(String name) {
            asked.add(name);
            return CheckpointWeights.this.has(name);
        }

        /** A shape without memory: its segment is closed, so a mistaken read throws. */
        private static Tensor placeholder(int... dims) {
            try (var arena = Arena.ofConfined()) {
                return Tensor.of(DType.F32, MemorySegment.NULL.reinterpret(DType.F32.bytes(new Shape(dims).elements()), arena, null), dims);
            }
        }

        void report() {
            var unused = Stream.concat(checkpoint.tensors().keySet().stream(), checkpoint.unsupported().keySet().stream())
                .filter(name -> !asked.contains(name) && !isInteger(name)).map(checkpoint::origin).sorted().map(Diagnosis::shown).toList();
            if (problems.isEmpty() && unused.isEmpty()) return;
            var parts = new ArrayList<String>();
            if (!problems.isEmpty()) parts.add(listed(problems, "; "));
            if (!unused.isEmpty()) parts.add("the model has no use for " + listed(unused, ", "));
            throw new ModelException("%s is not a file of this model: %s".formatted(source, String.join("; ", parts)));
        }

        private static String listed(Collection<String> items, String separator) {
            var text = items.stream().limit(SHOWN).collect(Collectors.joining(separator));
            return items.size() > SHOWN ? "%s and %d more".formatted(text, items.size() - SHOWN) : text;
        }
    }

    private boolean isInteger(String name) {
        var info = checkpoint.tensors().get(name);
        return info == null ? checkpoint.unsupported().get(name).matches("[IU]\\d+|BOOL") : info.dtype() == DType.I32;
    }
}
