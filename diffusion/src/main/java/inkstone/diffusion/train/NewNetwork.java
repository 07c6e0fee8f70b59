package inkstone.diffusion.train;

import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/** A network that has learned nothing yet, as tensors of a file: its own factory says what it has, with all biases. The same seed gives the same numbers, whatever else the network has. */
final class NewNetwork {
    /** Values that a parameter begins with. */
    interface Start { float[] values(String name, int[] dims, RandomGenerator random); }

    private NewNetwork() {}

    static void write(GgufWriter writer, Function<Weights, ?> network, Start start, long seed) {
        parameters(network).forEach((name, shape) -> writer.tensor(new TensorInfo(name, DType.F32, shape),
            out -> out.write(MemorySegment.ofArray(start.values(name, shape.toArray(), new SplittableRandom(seed * 31 + name.hashCode()))))));
    }

    /** What the network asks for when it is made. */
    private static Map<String, Shape> parameters(Function<Weights, ?> network) {
        var asked = new LinkedHashMap<String, Shape>();
        network.apply(new Weights() {
            @Override public Tensor tensor(String name, int... dims) {
                asked.put(name, new Shape(dims));
                try (var arena = Arena.ofConfined()) {                                                    // a shape without memory
                    return Tensor.of(DType.F32, MemorySegment.NULL.reinterpret(DType.F32.bytes(new Shape(dims).elements()), arena, null), dims);
                }
            }

            @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }

            @Override public boolean has(String name) { return true; }
        });
        return asked;
    }
}
