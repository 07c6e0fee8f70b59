package inkstone.diffusion.unet;

import static inkstone.diffusion.TestDevices.assertNumbers;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.diffusion.RandomPictureWeights;
import inkstone.diffusion.TestDevices;
import inkstone.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers made by src/test/python/networks.py in float64. Where a picture is 2 x 3 pixels a group norm has 24 numbers, and turns a rounding of 1e-7 into 5e-5. */
class UNetTest {
    private static final UNetConfig SMALL = new UNetConfig(4, 4, 32, List.of(1, 2, 4, 4), 2, List.of(1, 1, 1, 0), 1, 64, 8, 0, 0, 0);
    private static final UNetConfig SMALL_XL = new UNetConfig(4, 4, 32, List.of(1, 2, 4), 2, List.of(0, 1, 2), 2, 96, 0, 64, 48, 0);
    private static final double TOLERANCE = 2e-4;

    @ParameterizedTest @ValueSource(strings = {"reference", "cpu"})
    void predictsAsInFloat64(String device) {
        try (var weights = new RandomPictureWeights(); var backend = TestDevices.backend(device); var scope = Scope.inference(backend)) {
            var unet = UNet.of(SMALL, weights);
            assertEquals(686, weights.asked().size());
            float[] x = RandomPictureWeights.picture("x", 4, 16, 8, 1), text = RandomPictureWeights.values("context", 77 * 64, 1, 0);
            /* Two pictures at once, the other at another time: no picture may see its neighbour. */
            float[] both = Arrays.copyOf(x, 2 * x.length), texts = Arrays.copyOf(text, 2 * text.length);
            Arrays.fill(both, x.length, both.length, 0.5f);
            var predicted = unet.forward(scope.floats(both, 2, 16, 8, 4), new double[] {500.25, 3}, scope.floats(texts, 2 * 77, 64), null, 1).toFloats();
            assertNumbers(TOLERANCE, Arrays.copyOf(predicted, x.length), 4, -0.0286594833, 0.509700807, -0.142794158, 0.884692603, -0.0601123642, -0.579880855, -0.737411305, 0.14650792,
                -0.434096874, -0.167020472);
        }
    }

    @ParameterizedTest @ValueSource(strings = {"reference", "cpu"})
    void predictsWithLabelsAsInFloat64(String device) {
        try (var weights = new RandomPictureWeights(); var backend = TestDevices.backend(device); var scope = Scope.inference(backend)) {
            var unet = UNet.of(SMALL_XL, weights);
            var x = scope.floats(RandomPictureWeights.picture("x", 4, 8, 12, 1), 1, 8, 12, 4);
            var text = scope.floats(RandomPictureWeights.values("context", 77 * 96, 1, 0), 77, 96);
            var predicted = unet.forward(x, new double[] {37.5}, text, scope.floats(RandomPictureWeights.values("labels", 48, 1, 0), 1, 48), 1).toFloats();
            assertNumbers(TOLERANCE, predicted, 4, -0.0056059132, 0.596814985, 0.629402935, 0.445013582, -0.210187331, -0.190635324, -0.620961961, 0.129675025, 0.532175833, 0.00896480913);
            assertThrows(IllegalArgumentException.class, () -> unet.forward(x, new double[] {37.5}, text, null, 1));
        }
    }

    /** A training scope keeps what an inference scope hands out again, and computes the same. */
    @Test void memoryOfBlocksIsHandedOutWithoutHarm() {
        var tiny = new UNetConfig(4, 4, 32, List.of(1, 2), 1, List.of(0, 1), 1, 32, 4, 0, 0, 0);
        try (var weights = new RandomPictureWeights(); var backend = TestDevices.backend("reference"); var inference = Scope.inference(backend); var training = Scope.training(backend)) {
            var unet = UNet.of(tiny, weights);
            float[] x = RandomPictureWeights.picture("x", 4, 4, 4, 1), text = RandomPictureWeights.values("context", 5 * 32, 1, 0);
            float[][] predicted = new float[2][];
            for (int i = 0; i < 2; i++) {
                var scope = i == 0 ? inference : training;
                predicted[i] = unet.forward(scope.floats(x, 1, 4, 4, 4), new double[] {10}, scope.floats(text, 5, 32), null, 1).toFloats();
            }
            assertArrayEquals(predicted[1], predicted[0]);
        }
    }
}
