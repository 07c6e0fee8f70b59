package inkstone.diffusion.vae;

import static inkstone.diffusion.TestDevices.assertNumbers;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.RandomPictureWeights;
import inkstone.diffusion.TestDevices;
import inkstone.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers made by src/test/python/networks.py in float64. */
class AutoencoderTest {
    private static final AutoencoderConfig SMALL = new AutoencoderConfig(3, 32, List.of(1, 2, 4, 4), 2, 4, 32, true, true, 0.18215f, 0);
    private static final double TOLERANCE = 2e-5;

    @ParameterizedTest @ValueSource(strings = {"reference", "cpu"})
    void decodesAndEncodesAsInFloat64(String device) {
        try (var weights = new RandomPictureWeights(); var backend = TestDevices.backend(device); var scope = Scope.inference(backend)) {
            var autoencoder = Autoencoder.of(SMALL, weights);
            var picture = autoencoder.decoder().forward(scope.floats(RandomPictureWeights.picture("latent", 4, 4, 3, 1), 1, 4, 3, 4));
            assertEquals("[1, 32, 24, 3]", picture.shape().toString());
            assertNumbers(TOLERANCE, picture.toFloats(), 3, -0.0388300142, 0.552649352, 0.264106715, 0.239335268, -0.156638986, -0.346377853, -0.324164128, -0.251769129, -0.0913019288, -0.067215759);
            var encoded = autoencoder.encoder().forward(scope.floats(RandomPictureWeights.picture("picture", 3, 24, 32, 0.5), 1, 24, 32, 3));
            assertEquals("[1, 3, 4, 8]", encoded.shape().toString());
            assertNumbers(TOLERANCE, encoded.toFloats(), 8, -0.0074656787, 0.470939278, -0.764662272, 0.451174481, -0.136003705, -0.217196953, 0.284443138, 0.0439550868, 0.0910864571, 0.329365656);
        }
    }

    @Test void momentsOnTheHostAreThoseOfTheTensors() {
        try (var backend = TestDevices.backend("reference"); var scope = Scope.inference(backend)) {
            float[] encoded = RandomPictureWeights.values("moments", 2 * 3 * 8, 1, 0), noise = RandomPictureWeights.values("noise", 2 * 3 * 4, 1, 0);
            var moments = Moments.of(scope.floats(encoded, 1, 2, 3, 8));
            float[] sampled = moments.sample(scope.floats(noise, 1, 2, 3, 4)).toFloats(), host = Moments.sample(encoded, 4, noise), mean = Moments.sample(encoded, 4, null);
            double divergence = 0;
            for (int i = 0; i < host.length; i++) {
                assertEquals(sampled[i], host[i], 1e-5f);
                double m = mean[i], log = encoded[i / 4 * 8 + 4 + i % 4];
                divergence += (m * m + Math.exp(log) - 1 - log) / 2;
            }
            assertEquals(divergence, moments.divergence().toFloats()[0], 1e-4);
        }
    }

    /** A decoder that is local, each place to its own pixels, gives the same in tiles as whole; and one that adds a number of its own to each tile gives a smooth ramp between them. */
    @Test void tilesOfALocalDecoderAreTheWhole() {
        int width = 21, height = 10, factor = 2;
        float[] latent = RandomPictureWeights.values("tiles", width * height, 1, 0);
        var tiles = new Tiles(8, 2);
        assertTrue(tiles.needed(width, height));
        var picture = tiles.decode(latent, width, height, 1, factor, 1, tile -> nearest(tile.values(), tile.width(), tile.height(), factor));
        var whole = nearest(latent, width, height, factor);
        for (int i = 0; i < whole.length; i++) assertEquals(whole[i], picture[i], 1e-5f);
        int[] count = {0};
        var ramp = tiles.decode(new float[14 * 8], 14, 8, 1, factor, 1, tile -> {
            var flat = new float[tile.width() * tile.height() * factor * factor];
            Arrays.fill(flat, count[0]);
            count[0]++;
            return flat;
        });
        assertEquals(2, count[0]);
        for (int x = 1; x < 28; x++) assertTrue(ramp[x] >= ramp[x - 1] && ramp[x] - ramp[x - 1] <= 0.26f, "column " + x);
    }

    private static float[] nearest(float[] latent, int width, int height, int factor) {
        var picture = new float[width * height * factor * factor];
        for (int y = 0; y < height * factor; y++) for (int x = 0; x < width * factor; x++) picture[y * width * factor + x] = latent[y / factor * width + x / factor];
        return picture;
    }
}
