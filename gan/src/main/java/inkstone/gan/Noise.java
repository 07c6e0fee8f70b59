package inkstone.gan;

import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;

/** Small random details that a generator with styles adds in each layer: one number for each pixel. */
public interface Noise {
    /** None, for pictures that depend on their style alone. */
    Noise NONE = (_, _, _) -> null;

    /** [n · pixels, 1] for a layer, or null for none. */
    Tensor of(Scope scope, int layer, int rows);

    /** The same numbers for the same seed and layer. */
    static Noise seeded(long seed) {
        return (scope, layer, rows) -> {
            var random = Seeds.of(seed, layer);
            var values = new float[rows];
            for (int i = 0; i < rows; i++) values[i] = (float) random.nextGaussian();
            return scope.floats(values, rows, 1);
        };
    }
}
