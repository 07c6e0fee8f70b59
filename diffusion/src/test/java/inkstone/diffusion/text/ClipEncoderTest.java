package inkstone.diffusion.text;

import static inkstone.diffusion.TestDevices.assertNumbers;

import inkstone.diffusion.RandomPictureWeights;
import inkstone.diffusion.TestDevices;
import inkstone.diffusion.prompt.Prompt;
import inkstone.diffusion.prompt.PromptChunk;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Scope;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers made by src/test/python/networks.py in float64. */
class ClipEncoderTest {
    private static final double TOLERANCE = 2e-5;

    private static ClipConfig config(Elementwise activation, int padding) { return new ClipConfig(49408, 77, 64, 3, 4, 256, activation, 64, padding); }

    private static int[] tokens(PromptChunk.Frame frame) { return PromptChunk.of(Prompt.parse("a lovely cat"), new ClipTokenizer()::encode, frame).getFirst().tokens(); }

    @ParameterizedTest @ValueSource(strings = {"reference", "cpu"})
    void encodesAsInFloat64(String device) {
        try (var weights = new RandomPictureWeights(); var backend = TestDevices.backend(device); var scope = Scope.inference(backend)) {
            var clip = ClipEncoder.of(config(Elementwise.QUICK_GELU, ClipTokenizer.END), weights);
            int[] tokens = tokens(PromptChunk.Frame.CLIP), other = tokens.clone();
            other[1] = 7;
            var last = clip.forward(scope, new int[][] {tokens, other}, 0, true, true);
            var rows = last.rows().toFloats();
            assertNumbers(TOLERANCE, Arrays.copyOf(rows, rows.length / 2), 1, 0.00682683924, 1.00508706, 0.97668674, -0.745784574, 1.94411706, 0.582741695, 0.00312138789, 0.474542535,
                -0.275209369, -0.921849014);
            assertNumbers(TOLERANCE, Arrays.copyOf(last.pooled().toFloats(), 64), 1, 0.116116711, 0.971303341, 0.679207328, 0.810024598, 0.190091791, -0.0620513957, 0.815877319, 1.56468241,
                1.33028818, -0.0233142472);
            var before = clip.forward(scope, new int[][] {tokens}, 1, false, true);
            assertNumbers(TOLERANCE, before.rows().toFloats(), 1, 0.0723077534, 1.36885699, 1.10142192, -0.233549524, 2.33525083, 1.61887852, -0.91562716, 1.65554864, -0.847991845, -0.789894811);
            assertNumbers(TOLERANCE, before.pooled().toFloats(), 1, 0.116116711, 0.971303341, 0.679207328, 0.810024598);
        }
    }

    @ParameterizedTest @ValueSource(strings = {"reference", "cpu"})
    void encodesAsOpenClipInFloat64(String device) {
        try (var weights = new RandomPictureWeights(); var backend = TestDevices.backend(device); var scope = Scope.inference(backend)) {
            var clip = ClipEncoder.of(config(Elementwise.GELU_ERF, 0), weights);
            var before = clip.forward(scope, new int[][] {tokens(PromptChunk.Frame.OPEN_CLIP)}, 1, false, true);
            assertNumbers(TOLERANCE, before.rows().toFloats(), 1, 0.045678867, 1.25078277, 1.11854684, -0.237879202, 2.33167528, 1.6273366, -0.939820231, 1.66112375, -0.856028174, -0.764333149);
            assertNumbers(TOLERANCE, before.pooled().toFloats(), 1, 0.115871906, 0.971202044, 0.675575207, 0.793899079, 0.188001406, -0.0684578382, 0.817899114, 1.57562981, 1.34128244, -0.0268839644);
        }
    }
}
