package inkstone.gan;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.train.Parameters;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The parameters of one of two networks that play against each other, made when they are first asked for. {@link #learning} gives them with gradients, {@link #frozen} the same numbers without,
 * for when the other one learns. Owns all memory.
 */
final class PlayerWeights implements AutoCloseable {
    private final Backend backend;
    private final Weights initial;
    private final Parameters parameters;
    private final Map<String, Tensor> fixed = new LinkedHashMap<>();
    private final List<MemorySegment> owned = new ArrayList<>();

    PlayerWeights(Backend backend, Weights initial) {
        this.backend = backend;
        this.initial = initial;
        this.parameters = new Parameters(backend);
    }

    Parameters parameters() { return parameters; }

    /** What does not learn: running statistics of norms. */
    Map<String, Tensor> fixed() { return fixed; }

    private interface Source { Tensor of(String name, int[] dims); }

    Weights learning() { return from(this::tensor); }

    Weights frozen() { return from((name, dims) -> Tensor.of(DType.F32, tensor(name, dims).data(), dims)); }

    /** The same with the moving averages in place of what learns. */
    Weights averaged(Map<String, Tensor> averages) { return from((name, dims) -> averages.containsKey(name) ? averages.get(name) : tensor(name, dims)); }

    private Tensor tensor(String name, int[] dims) {
        var known = Networks.learns(name) ? parameters.tensors().get(name) : fixed.get(name);
        if (known != null) return known;
        float[] values = initial.values(name, dims).orElseThrow();
        if (Networks.learns(name)) return parameters.add(name, values, dims);
        var memory = backend.allocate(DType.F32.bytes(new Shape(dims).elements()));
        owned.add(memory);
        backend.upload(memory, MemorySegment.ofArray(values));
        fixed.put(name, Tensor.of(DType.F32, memory, dims));
        return fixed.get(name);
    }

    private Weights from(Source source) {
        return new Weights() {
            @Override public Tensor tensor(String name, int... dims) { return source.of(name, dims); }
            @Override public Tensor floats(String name, int... dims) { return source.of(name, dims); }
            @Override public Optional<float[]> values(String name, int... dims) { return initial.values(name, dims); }
            @Override public boolean has(String name) { return true; }
        };
    }

    @Override public void close() {
        parameters.close();
        owned.forEach(backend::free);
        owned.clear();
    }
}
