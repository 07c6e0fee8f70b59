package inkstone.diffusion.stable;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.ImagePipeline.Watcher;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Picture;
import inkstone.diffusion.RandomPictureWeights;
import inkstone.diffusion.TestDevices;
import inkstone.diffusion.checkpoint.Companions;
import inkstone.diffusion.checkpoint.TinyModels;
import inkstone.diffusion.unet.UNetConfig;
import inkstone.tensor.Backend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Small models with the topology and the names of Stable Diffusion and random weights; numbers made by src/test/python/networks.py in float64. */
class StableDiffusionTest {
    @TempDir static Path folder;
    private static Backend backend;
    private static StableDiffusion version1;

    @BeforeAll static void open() throws IOException {
        backend = TestDevices.backend("cpu");
        version1 = open(TinyModels.stableDiffusion1(folder.resolve("tiny.safetensors"), TinyModels.UNET));
    }

    @AfterAll static void close() {
        version1.close();
        backend.close();
    }

    private static StableDiffusion open(Path path) throws IOException { return StableDiffusion.open(path, Companions.NONE, List.of(), backend); }

    private static ImageRequest request(StableDiffusion model, String prompt) {
        return model.info().defaults().withPrompt(prompt).withSize(64, 64).withSteps(3).withGuidance(7).withSampler("euler", "normal").withNoise("cpu").withSeed(42);
    }

    private static Picture paint(StableDiffusion model, ImageRequest request) { return model.paint(request, Watcher.NOBODY).getFirst().picture(); }

    @Test void paintsWhatFloat64Paints() {
        var picture = paint(version1, request(version1, "a lovely cat"));
        int[] expected = {128, 133, 141, 140, 133, 153, 137, 129, 147, 139, 138, 138, 149, 146, 128, 146, 158, 143, 164, 165, 129, 180, 164, 149};
        double sum = 0;
        for (byte b : picture.bytes()) sum += (b & 0xFF) / 127.5 - 1;
        for (int i = 0; i < expected.length; i++) assertEquals(expected[i], picture.bytes()[i] & 0xFF, 1);
        assertEquals(-0.0377, sum / picture.bytes().length, 0.004);
    }

    @Test void isRecognised() {
        assertEquals("tiny: Stable Diffusion 1, 17.2 million parameters, predicts noise", version1.summary());
        assertEquals("Stable Diffusion 1", version1.info().family());
        assertEquals(64, version1.info().multiple());
    }

    @Test void guidanceOfOneIsTheModelAlone() {
        var request = request(version1, "a lovely cat").withGuidance(1).withSteps(1);
        assertEquals(paint(version1, request), paint(version1, request.withNegative("ugly")));
        assertTrue(!paint(version1, request).equals(paint(version1, request.withPrompt("a dog"))));
    }

    @Test void previewsComeWithEveryStep() {
        var sizes = new ArrayList<String>();
        version1.paint(request(version1, "a cat").withSteps(2), step -> sizes.add(step.step() + " " + step.predicted()));
        assertEquals(List.of("1 8 x 8 x 3", "2 8 x 8 x 3"), sizes);
    }

    /** A prompt longer than the encoder is read in two pieces; the negative one then has as many. */
    @Test void longPromptsAreReadInPieces() {
        var words = "word ".repeat(80);
        assertTrue(!paint(version1, request(version1, words).withSteps(1)).equals(paint(version1, request(version1, words + "cat").withSteps(1))));
    }

    @Test void weightsOfWordsCount() {
        assertTrue(!paint(version1, request(version1, "a (lovely:1.4) cat").withSteps(1)).equals(paint(version1, request(version1, "a lovely cat").withSteps(1))));
    }

    /** With few steps the picture stays near the one that it began with, and where the mask is black it is that one. */
    @Test void startsFromAPictureAndKeepsWhatTheMaskKeeps() {
        var from = Picture.of(64, 64, 3, RandomPictureWeights.values("from", 64 * 64 * 3, 0.3, 0));
        var bytes = new byte[64 * 64];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (i % 64 < 32 ? 0 : 255);
        var painted = paint(version1, request(version1, "a cat").withSteps(2).withPicture(from, new Picture(64, 64, 1, bytes), 0.5f));
        int changed = 0;
        for (int y = 0; y < 64; y++) for (int x = 0; x < 64; x++) {
            if (x < 32) assertEquals(from.at(x, y, 1), painted.at(x, y, 1)); else changed += from.at(x, y, 1) == painted.at(x, y, 1) ? 0 : 1;
        }
        assertTrue(changed > 1000);
    }

    @Test void inpaintingModelsSeeTheMask() throws IOException {
        var config = new UNetConfig(9, 4, 32, TinyModels.UNET.multipliers(), 2, TinyModels.UNET.depths(), 1, 64, 8, 64, 0, 0);
        try (var model = open(TinyModels.stableDiffusion1(folder.resolve("inpaint.safetensors"), config))) {
            assertEquals("Stable Diffusion 1 inpainting", model.info().family());
            var from = Picture.of(64, 64, 3, RandomPictureWeights.values("from", 64 * 64 * 3, 0.3, 0));
            byte[] left = new byte[64 * 64], right = new byte[64 * 64];
            for (int i = 0; i < left.length; i++) (i % 64 < 32 ? left : right)[i] = (byte) 255;
            var request = request(model, "a cat").withSteps(1);
            Picture a = paint(model, request.withPicture(from, new Picture(64, 64, 1, left), 1)), b = paint(model, request);
            assertTrue(!a.equals(b));
            for (int y = 0; y < 64; y++) assertEquals(from.at(40, y, 0), a.at(40, y, 0));
        }
    }

    @Test void extraLargePaintsAsWell() throws IOException {
        try (var model = open(TinyModels.stableDiffusionXl(folder.resolve("xl.safetensors")))) {
            assertEquals("Stable Diffusion XL", model.info().family());
            assertEquals(32, model.info().multiple());
            var request = request(model, "a cat").withSize(64, 96).withSteps(2);
            Picture blank = paint(model, request), negative = paint(model, request.withNegative("dog"));
            assertEquals("64 x 96 x 3", blank.toString());
            assertTrue(!blank.equals(negative));
            assertArrayEquals(blank.bytes(), paint(model, request).bytes(), "the same seed paints the same");
        }
    }

    @Test void refusesWhatItCannotPaint() {
        assertThrows(IllegalArgumentException.class, () -> version1.check(request(version1, "a cat").withSize(72, 64)));
        var lora = assertThrows(IllegalArgumentException.class, () -> version1.check(request(version1, "a cat <lora:style:0.8>")));
        assertTrue(lora.getMessage().contains("there is no style.safetensors"), lora.getMessage());
    }
}
