package inkstone.tensor.train;

import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * Another source's parameters, of which those that {@code learns} names are F32 copies that learn; the others stay as they are. So a model is trained whole or in part without
 * knowing it.
 */
public record LearningWeights(Weights source, Parameters parameters, Predicate<String> learns) implements Weights {
    /** All that has a gradient: not the tables of rotary factors, which are constants, nor attention sinks and the biases of a router's choice. */
    public static final Predicate<String> ALL = name -> !name.startsWith("rope_") && !name.contains("attn_sinks") && !name.contains("exp_probs_b");

    @Override public Tensor tensor(String name, int... dims) { return learning(name, () -> source.tensor(name, dims), dims); }

    @Override public Tensor floats(String name, int... dims) { return learning(name, () -> source.floats(name, dims), dims); }

    @Override public Optional<float[]> values(String name, int... dims) { return source.values(name, dims); }

    @Override public boolean has(String name) { return source.has(name); }

    private Tensor learning(String name, Supplier<Tensor> stored, int[] dims) {
        if (!learns.test(name)) return stored.get();
        var known = parameters.tensors().get(name);
        return known != null ? known : source.values(name, dims).map(values -> parameters.add(name, values, dims)).orElseGet(stored);
    }
}
