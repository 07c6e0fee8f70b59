package inkstone.tensor;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** Parameters without memory: what a network of any size asks for. */
public record CountedWeights(CountingBackend backend, Predicate<String> present, Map<String, Shape> asked) implements Weights {
    public CountedWeights(CountingBackend backend) { this(backend, _ -> true, new LinkedHashMap<>()); }

    @Override public Tensor tensor(String name, int... dims) {
        var shape = new Shape(dims);
        asked.put(name, shape);
        return Tensor.of(DType.F32, backend.allocate(4 * shape.elements()), dims);
    }

    @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }

    @Override public Optional<float[]> values(String name, int... dims) {
        asked.put(name, new Shape(dims));
        return Optional.empty();
    }

    @Override public boolean has(String name) { return present.test(name); }

    public long elements() { return asked.values().stream().mapToLong(Shape::elements).sum(); }
}
