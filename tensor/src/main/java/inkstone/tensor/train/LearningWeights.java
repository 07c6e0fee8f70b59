package inkstone.tensor.train;

import inkstone.tensor.Blocks;
import inkstone.tensor.Backend;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.function.Predicate;

/**
 * Another source's parameters, of which those that {@code learns} names are F32 copies that learn; the others stay as they are. So a model is trained whole or in part without
 * knowing it.
 */
public record LearningWeights(Weights source, Parameters parameters, Backend backend, Predicate<String> learns) implements Weights {
    /** All that has a gradient: not the tables of rotary factors, which are constants, nor attention sinks and the biases of a router's choice. */
    public static final Predicate<String> ALL = name -> !name.startsWith("rope_") && !name.contains("attn_sinks") && !name.contains("exp_probs_b");

    @Override public Tensor tensor(String name, int... dims) { return learning(name, source.tensor(name, dims), dims); }

    @Override public Tensor floats(String name, int... dims) { return learning(name, source.floats(name, dims), dims); }

    @Override public boolean has(String name) { return source.has(name); }

    private Tensor learning(String name, Tensor stored, int[] dims) {
        if (!learns.test(name) || !stored.data().scope().isAlive()) return stored;
        var known = parameters.tensors().get(name);
        return known != null ? known : parameters.add(name, values(stored), dims);
    }

    private float[] values(Tensor stored) {
        var values = new float[Math.toIntExact(new Shape(stored.shape().toArray()).elements())];
        try (var arena = Arena.ofConfined()) {
            var host = arena.allocate(stored.data().byteSize());
            backend.download(host, stored.data());
            Blocks.toFloats(stored.dtype(), host, 0, values, values.length);
        }
        return values;
    }
}
