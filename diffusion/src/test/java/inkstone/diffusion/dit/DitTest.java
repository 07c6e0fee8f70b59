package inkstone.diffusion.dit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tensor.train.Parameters;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class DitTest {
    /** Parameters that learn, with values that are no fixed points: zeros of the start would hide what a branch does. */
    private record Random(Parameters parameters) implements Weights {
        @Override public Tensor tensor(String name, int... dims) {
            var random = new SplittableRandom(name.hashCode());
            var values = Dit.start(name, dims, random);
            for (int i = 0; i < values.length; i++) values[i] += (float) (0.1 * random.nextGaussian());
            return parameters.add(name, values, dims);
        }
        @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }
        @Override public boolean has(String name) { return true; }
    }

    /** The whole network against differences of its loss, one number of every parameter. */
    @Test void gradientsAreThoseOfTheLoss() {
        var config = new DitConfig(4, 1, 2, 8, 1, 2, 8, new DitConfig.Text(6, 4, 8, 1, 2, 8));
        try (var backend = new ReferenceBackend(); var parameters = new Parameters(backend); var scope = Scope.training(backend)) {
            var dit = Dit.of(config, new Random(parameters));
            var random = new SplittableRandom(2);
            float[] input = floats(random, 32), target = floats(random, 32);
            var prompts = List.of(new WeighedTokens(new int[] {0, 3, 2}, new float[] {1, 1.3f, 1}), new WeighedTokens(new int[] {0, 5}, new float[] {1, 1}));
            loss(scope, dit, input, target, prompts, true);
            parameters.tensors().forEach((name, parameter) -> {
                var values = java.lang.foreign.ValueLayout.JAVA_FLOAT;
                long at = new SplittableRandom(name.hashCode()).nextLong(parameter.shape().elements());
                if (name.equals("text.token_embed.weight")) at = 3 * 8 + 1;
                float before = parameter.data().getAtIndex(values, at), gradient = parameter.gradient().data().getAtIndex(values, at), by = 1e-2f;
                parameter.data().setAtIndex(values, at, before + by);
                double above = loss(scope, dit, input, target, prompts, false);
                parameter.data().setAtIndex(values, at, before - by);
                double below = loss(scope, dit, input, target, prompts, false);
                parameter.data().setAtIndex(values, at, before);
                double difference = (above - below) / (2 * by);
                assertTrue(Math.abs(difference - gradient) <= 2e-3 + 0.02 * Math.abs(difference), "%s [%d]: gradient %s, difference %s".formatted(name, at, gradient, difference));
            });
        }
    }

    private static float[] floats(SplittableRandom random, int count) {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    private static double loss(Scope scope, Dit dit, float[] input, float[] target, List<WeighedTokens> prompts, boolean back) {
        scope.reset();
        var error = dit.forward(scope.floats(input, 8, 4), new double[] {100, 600}, dit.read(scope, prompts)).add(scope.floats(target, 8, 4));
        var loss = error.mul(error).sum();
        double value = loss.toFloats()[0];
        if (back) scope.backward(loss);
        return value;
    }

    /** Rows of patches and back. */
    @Test void patchesComeBackAsPictures() {
        var config = new DitConfig(8, 3, 4, 8, 1, 2, 8, new DitConfig.Text(6, 4, 8, 1, 2, 8));
        var pictures = floats(new SplittableRandom(1), 2 * 8 * 8 * 3);
        var rows = Dit.toPatches(config, pictures);
        assertArrayEquals(pictures, Dit.fromPatches(config, rows));
        assertEquals(pictures[(5 * 8 + 6) * 3 + 1], rows[3 * 48 + (1 * 4 + 2) * 3 + 1]);
    }
}
