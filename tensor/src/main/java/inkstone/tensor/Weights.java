package inkstone.tensor;

import java.util.Optional;

/**
 * The only source of a model's parameters: names and shapes each parameter once, whether it comes from a file, from random numbers or
 * through a decorator. Weights are immutable and may be read by any thread; their memory belongs to whoever opened the source.
 */
public interface Weights {
    /** A parameter of exactly these dimensions, in the format it is stored in; throws {@link ModelException} where it is absent or of another shape. */
    Tensor tensor(String name, int... dims);

    /** The same as F32 whatever it is stored in: numbers that kernels do not take in weight formats. Those of one dimension are F32 without asking. */
    Tensor floats(String name, int... dims);

    /** The numbers of such a parameter in the host's memory, for who keeps a copy of its own; empty where the source only notes what is asked for. */
    default Optional<float[]> values(String name, int... dims) { return Optional.empty(); }

    /** Whether the source has such a parameter (tied heads, optional biases). */
    boolean has(String name);

    /** {@code name}.weight [out, in], and {@code name}.bias [out] where the source has one. */
    default Linear linear(String name, int in, int out) {
        return new Linear.Dense(tensor(name + ".weight", out, in), has(name + ".bias") ? tensor(name + ".bias", out) : null);
    }

    /** A linear map whose weight [out, in] is another parameter's as well: an output head tied to the embeddings. {@code name} is what it would be called by itself. */
    default Linear tied(String name, Tensor weight) { return new Linear.Dense(weight, null); }

    /** The same parameters with {@code prefix} put before every name asked for. */
    default Weights at(String prefix) {
        var source = this;
        return new Weights() {
            @Override public Tensor tensor(String name, int... dims) { return source.tensor(prefix + name, dims); }
            @Override public Tensor floats(String name, int... dims) { return source.floats(prefix + name, dims); }
            @Override public Optional<float[]> values(String name, int... dims) { return source.values(prefix + name, dims); }
            @Override public boolean has(String name) { return source.has(prefix + name); }
            @Override public Linear linear(String name, int in, int out) { return source.linear(prefix + name, in, out); }
            @Override public Linear tied(String name, Tensor weight) { return source.tied(prefix + name, weight); }
        };
    }
}
