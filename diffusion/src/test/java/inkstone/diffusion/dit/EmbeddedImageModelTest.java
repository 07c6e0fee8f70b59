package inkstone.diffusion.dit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.Picture;
import inkstone.tensor.cpu.CpuBackend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedImageModelTest {
    private static final long SEED = 11;

    /** Red, green and blue where it is not white, on the whole. */
    private static double[] colour(Picture picture) {
        var sums = new double[3];
        double count = 0;
        for (int y = 0; y < picture.height(); y++) for (int x = 0; x < picture.width(); x++) {
            int darkest = Math.min(picture.at(x, y, 0), Math.min(picture.at(x, y, 1), picture.at(x, y, 2)));
            if (darkest > 200) continue;
            for (int c = 0; c < 3; c++) sums[c] += picture.at(x, y, c);
            count++;
        }
        for (int c = 0; c < 3; c++) sums[c] /= Math.max(1, count);
        return sums;
    }

    /** It opens from what comes with the program, paints the same picture for a seed, and gives hearts the colours that are asked for. */
    @Test void itPaintsWhatIsAskedFor(@TempDir Path folder) throws Exception {
        assumeTrue(EmbeddedImageModel.present(), "skipped: this build comes without its image model");
        try (var backend = new CpuBackend(2); var dab = EmbeddedImageModel.open(folder, backend)) {
            var usual = dab.info().defaults().withSteps(20);
            var pictures = new ArrayList<Picture>();
            for (var prompt : List.of("red heart, flat", "blue heart, flat", "yellow heart, flat", "red heart, flat")) {
                pictures.add(dab.paint(usual.withPrompt(prompt).withSeed(SEED), ImagePipeline.Watcher.NOBODY).getFirst().picture());
            }
            assertEquals(pictures.get(0), pictures.get(3));
            double[] red = colour(pictures.get(0)), blue = colour(pictures.get(1)), yellow = colour(pictures.get(2));
            assertTrue(red[0] > red[1] + 60 && red[0] > red[2] + 40, () -> "a red heart has the colour %.0f %.0f %.0f".formatted(red[0], red[1], red[2]));
            assertTrue(blue[2] > blue[0] + 40, () -> "a blue heart has the colour %.0f %.0f %.0f".formatted(blue[0], blue[1], blue[2]));
            assertTrue(yellow[0] > yellow[2] + 60 && yellow[1] > yellow[2] + 40, () -> "a yellow heart has the colour %.0f %.0f %.0f".formatted(yellow[0], yellow[1], yellow[2]));
        }
    }
}
