package inkstone.tensor;

import java.util.Optional;

/**
 * The parameters of another source, whose linear maps an {@link Adaptation} may change on their way to the model: adapters in training and at run time. The other source's
 * parameters stay as they are, so several models may be made of the same ones.
 */
public record AdaptedWeights(Weights source, Adaptation adaptation) implements Weights {
    /** What becomes of the linear maps of a model. */
    public interface Adaptation {
        /**
         * In place of {@code base}, which it returns where there is nothing to change.
         *
         * @param name of the parameter, without ".weight": "blk.0.attn_q"
         */
        Linear adapt(String name, Linear base, int in, int out);
    }

    @Override public Tensor tensor(String name, int... dims) { return source.tensor(name, dims); }
    @Override public Tensor floats(String name, int... dims) { return source.floats(name, dims); }
    @Override public Optional<float[]> values(String name, int... dims) { return source.values(name, dims); }
    @Override public boolean has(String name) { return source.has(name); }
    @Override public Linear linear(String name, int in, int out) { return adaptation.adapt(name, source.linear(name, in, out), in, out); }
    @Override public Linear tied(String name, Tensor weight) { return adaptation.adapt(name, source.tied(name, weight), weight.shape().last(), weight.shape().dim(0)); }
}
