package inkstone.diffusion.checkpoint;

import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Names and shapes of all parameters that a model asks for, without memory: what a file must hold, and how large the model is. A model that was made of it cannot run.
 *
 * @param present answers {@link #has}: which of the optional parameters there are
 */
public record ParameterList(Map<String, Shape> shapes, Predicate<String> present) implements Weights {
    public ParameterList(Predicate<String> present) { this(new LinkedHashMap<>(), present); }

    /** How many numbers there are in all. */
    public long parameters() { return shapes.values().stream().mapToLong(Shape::elements).sum(); }

    @Override public Tensor tensor(String name, int... dims) {
        shapes.put(name, new Shape(dims));
        try (var arena = Arena.ofConfined()) {
            return Tensor.of(DType.F32, MemorySegment.NULL.reinterpret(DType.F32.bytes(new Shape(dims).elements()), arena, null), dims);
        }
    }

    @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }

    @Override public boolean has(String name) { return present.test(name); }
}
