package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.util.HashMap;
import org.junit.jupiter.api.Test;

class RopeScalingTest {
    private static Metadata metadata(Object... keysAndValues) {
        var values = new HashMap<String, Object>();
        for (int i = 0; i < keysAndValues.length; i += 2) values.put((String) keysAndValues[i], keysAndValues[i + 1]);
        return new Metadata("file", values);
    }

    /** |actual / expected - 1| below 1e-6: a float each. */
    private static void assertClose(double[] expected, float[] actual) {
        assertEquals(expected.length, actual.length);
        for (int i = 0; i < expected.length; i++) assertEquals(expected[i], actual[i], 1e-6 * Math.abs(expected[i]), "pair " + i);
    }

    @Test void unscaledFrequenciesFallByPowersOfTheBase() {
        assertClose(new double[] {1, 0.1, 0.01, 0.001}, RopeScaling.NONE.frequencies(10_000, 8));
        assertEquals(1, RopeScaling.NONE.magnitude());
    }

    @Test void linearDividesEveryFrequency() {
        var config = metadata("rope_scaling.type", "linear", "rope_scaling.factor", 4.0);
        assertClose(new double[] {0.25, 0.025, 0.0025, 0.00025}, RopeScaling.fromHuggingFace(config).frequencies(10_000, 8));
    }

    /** Llama 3.1: base 500000, 128 dimensions, factor 8, 1 and 4, 8192; by the paper's rule worked out in double precision. */
    @Test void llama3KeepsHighFrequenciesDividesLowOnesAndBlendsThoseBetween() {
        var scaling = RopeScaling.fromHuggingFace(metadata("rope_scaling.rope_type", "llama3", "rope_scaling.factor", 8.0, "rope_scaling.low_freq_factor", 1.0,
            "rope_scaling.high_freq_factor", 4.0, "rope_scaling.original_max_position_embeddings", 8192L));
        float[] plain = RopeScaling.NONE.frequencies(500_000, 128), scaled = scaling.frequencies(500_000, 128);
        for (int i = 0; i < 64; i++) {
            double wavelength = 2 * Math.PI / Math.pow(500_000, -i / 64.0), expected;
            if (wavelength < 8192 / 4.0) expected = plain[i];
            else if (wavelength > 8192) expected = plain[i] / 8;
            else {
                double smooth = (8192 / wavelength - 1) / 3;
                expected = (1 - smooth) * plain[i] / 8 + smooth * plain[i];
            }
            assertEquals(expected, scaled[i], 1e-6 * expected, "pair " + i);
        }
        assertEquals(plain[28], scaled[28]);
        assertTrue(scaled[32] < plain[32] && scaled[32] > plain[32] / 8, "pair 32 turns 1.8 times in 8192 tokens");
        assertEquals(plain[40] / 8, scaled[40], 1e-12);
    }

    /**
     * Base 10000, 64 dimensions, 4096 tokens, factor 4: 32 turns are pair 10.46 and 1 turn pair 22.51 of 32, so pairs up to 10 stay, those from 23 are divided, and
     * pair 16 keeps 7/13. The magnitude is 1 + 0.1 ln 4.
     */
    @Test void yarnKeepsFastPairsAndDividesSlowOnes() {
        var scaling = RopeScaling.fromGguf(metadata("x.rope.scaling.type", "yarn", "x.rope.scaling.factor", 4.0, "x.rope.scaling.original_context_length", 4096L,
            "x.context_length", 16384L), "x");
        float[] plain = RopeScaling.NONE.frequencies(10_000, 64), scaled = scaling.frequencies(10_000, 64);
        for (int i = 0; i <= 10; i++) assertEquals(plain[i], scaled[i]);
        for (int i = 23; i < 32; i++) assertEquals(plain[i] / 4, scaled[i], 1e-7 * plain[i]);
        double kept = 7 / 13.0;
        assertEquals(kept * plain[16] + (1 - kept) * plain[16] / 4, scaled[16], 1e-6 * plain[16]);
        assertEquals(1.1386294f, scaling.magnitude(), 1e-6f);
    }

    /** gpt-oss: pairs 8.09 and 17.40 of 32 are the ends, computed from the formula by hand. */
    @Test void theEndsOfTheRampOfYarnMayLieBetweenPairs() {
        var scaling = RopeScaling.fromHuggingFace(metadata("max_position_embeddings", 131_072L, "rope_scaling.rope_type", "yarn", "rope_scaling.factor", 32.0, "rope_scaling.original_max_position_embeddings", 4096L,
            "rope_scaling.truncate", false, "rope_scaling.beta_fast", 32.0, "rope_scaling.beta_slow", 1.0));
        float[] plain = RopeScaling.NONE.frequencies(150_000, 64), scaled = scaling.frequencies(150_000, 64);
        double first = 64 * Math.log(4096 / (32 * 2 * Math.PI)) / (2 * Math.log(150_000)), last = 64 * Math.log(4096 / (2 * Math.PI)) / (2 * Math.log(150_000));
        assertEquals(8.09, first, 0.01);
        assertEquals(17.40, last, 0.01);
        double kept = 1 - (9 - first) / (last - first);
        assertEquals(kept * plain[9] + (1 - kept) * plain[9] / 32, scaled[9], 1e-6 * plain[9]);
    }

    /** Scaling begins beyond the length that the model was made for, where the context ends here. */
    @Test void dynamicScalingIsNoneWithinTheContext() {
        assertEquals(RopeScaling.NONE, RopeScaling.fromHuggingFace(metadata("rope_scaling.rope_type", "dynamic", "rope_scaling.factor", 2.0)));
    }

    @Test void yarnTakesTheAttentionFactorOfTheFile() {
        var stated = metadata("max_position_embeddings", 4096L, "rope_scaling.rope_type", "yarn", "rope_scaling.factor", 4.0, "rope_scaling.attention_factor", 1.5);
        assertEquals(1.5f, RopeScaling.fromHuggingFace(stated).magnitude(), 1e-6f);
        var equalScales = metadata("max_position_embeddings", 4096L, "rope_scaling.rope_type", "yarn", "rope_scaling.factor", 40.0, "rope_scaling.mscale", 0.707,
            "rope_scaling.mscale_all_dim", 0.707);
        assertEquals(1, RopeScaling.fromHuggingFace(equalScales).magnitude(), 1e-6f, "the two scales cancel");
    }

    @Test void aGgufFileSaysTheSameAsTheHuggingFaceFileItCameFrom() {
        var yarn = new RopeScaling.Yarn(4, 4096, 1, 1.2f, 16, 2);
        var linear = new RopeScaling.Linear(2);
        var unrounded = new RopeScaling.Yarn(4, 4096, 1, 1.2f, 16, 2, false);
        for (var scaling : new RopeScaling[] {yarn, unrounded, linear, RopeScaling.NONE}) {
            var values = TestData.readBack(scaling.toGguf("x"));
            values.put("x.context_length", 8192L);
            assertEquals(scaling, RopeScaling.fromGguf(new Metadata("file", values), "x"));
        }
    }

    @Test void factorsOfTheFileDivideFrequencies() {
        var divided = new RopeScaling.Divided(RopeScaling.NONE, new float[] {1, 2, 4, 8}, 1.5f);
        assertEquals(1.5f, divided.magnitude());
        assertArrayEquals(new float[] {1, 0.05f, 0.0025f, 0.000125f}, divided.frequencies(10_000, 8), 1e-7f);
        assertThrows(ModelException.class, () -> new RopeScaling.Divided(RopeScaling.NONE, new float[] {1, 0}, 1));
    }

    @Test void whatIsNotKnownIsNamed() {
        var refusal = assertThrows(ModelException.class, () -> RopeScaling.fromHuggingFace(metadata("rope_scaling.rope_type", "longrope")));
        assertEquals("file: rope scaling \"longrope\" is not supported (known: none, linear, dynamic, llama3, yarn)", refusal.getMessage());
        assertThrows(ModelException.class, () -> RopeScaling.fromHuggingFace(metadata("rope_scaling.rope_type", "linear", "rope_scaling.factor", 0.0)));
    }
}
