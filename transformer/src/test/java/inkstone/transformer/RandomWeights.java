package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.Parameters;

/** New models that learn, apart from files and tokenizers. */
public final class RandomWeights {
    private RandomWeights() {}

    /** A model whose parameters are in {@code parameters}, as {@link NewModel} would write them. */
    public static CausalModel learning(NewModel.Size size, int vocabulary, Parameters parameters, Backend backend) {
        return NewModel.build(size, vocabulary, new NewModel.Parts(size) {
            @Override public Tensor tensor(String name, int... dims) {
                var known = parameters.tensors().get(name);
                return known != null ? known : parameters.add(name, NewModel.values(name, new Shape(dims), size.layers(), 1), dims);
            }
        }, backend);
    }
}
