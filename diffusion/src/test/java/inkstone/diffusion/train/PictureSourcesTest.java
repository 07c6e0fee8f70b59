package inkstone.diffusion.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import inkstone.tensor.ModelException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PictureSourcesTest {
    private static final PictureFolder.Settings ALL = new PictureFolder.Settings(null, null, null, false, 0);

    @TempDir private Path folder;

    /** A square of one colour, 0xAARRGGBB. */
    private static byte[] png(int size, int argb) throws IOException {
        var image = new BufferedImage(size, size, BufferedImage.TYPE_INT_ARGB);
        for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) image.setRGB(x, y, argb);
        var bytes = new ByteArrayOutputStream();
        ImageIO.write(image, "png", bytes);
        return bytes.toByteArray();
    }

    private void zip(String name, Map<String, byte[]> files) throws IOException {
        try (var zip = new ZipOutputStream(Files.newOutputStream(folder.resolve(name)))) {
            for (var file : files.entrySet()) {
                zip.putNextEntry(new ZipEntry(file.getKey()));
                zip.write(file.getValue());
                zip.closeEntry();
            }
        }
    }

    @Test void captionsNameFilesInZips() throws IOException {
        zip("pictures.zip", Map.of("a/red.png", png(8, 0xFFFF0000), "a/blue.png", png(8, 0xFF0000FF), "a/out.png", png(8, 0xFF00FF00)));
        Files.writeString(folder.resolve("captions.jsonl"), """
            {"file": "a/red.png", "caption": "red", "style": "flat", "keywords": ["warm"], "set": "one"}
            {"file": "a/blue.png", "caption": "blue", "set": "two"}
            {"file": "a/out.png", "caption": "green", "set": "three"}
            """);
        var source = new PictureFolder(folder, new PictureFolder.Settings(null, Map.of("set", List.of("three")), "plain", false, 0), 4, Set.of(), 0);
        assertEquals(2, source.count());
        var captions = new HashSet<String>();
        var random = new SplittableRandom(1);
        for (int i = 0; i < 500; i++) {
            var drawn = source.draw(random);
            captions.add(drawn.caption());
            boolean red = drawn.caption().contains("red") || drawn.caption().contains("warm");
            assertEquals(red ? 255 : 0, drawn.picture().at(1, 1, 0));
        }
        assertTrue(captions.containsAll(Set.of("red, flat", "red", "red, warm, flat", "warm, flat", "blue, plain", "blue")), captions.toString());
        assertEquals(1, new PictureFolder(folder, new PictureFolder.Settings(Map.of("set", List.of("one", "two")), null, null, false, 0), 4, Set.of("a/blue.png"), 0).count());
    }

    @Test void textsBesidePicturesAreCaptions() throws IOException {
        Files.write(folder.resolve("cat.png"), png(4, 0xFF123456));
        Files.writeString(folder.resolve("cat.txt"), "a cat\n");
        Files.write(folder.resolve("nameless.png"), png(4, 0xFF123456));
        var source = new PictureFolder(folder, ALL, 4, Set.of(), 0);
        assertEquals(1, source.count());
        assertEquals("a cat", source.draw(new SplittableRandom(1)).caption());
    }

    /** A black corner of a pixel comes to every place that a mirror and one pixel of shift can bring it to, and white comes in. */
    @Test void picturesAreMirroredAndMoved() throws IOException {
        var image = new BufferedImage(4, 4, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 16; i++) image.setRGB(i % 4, i / 4, i == 5 ? 0x000000 : 0xFF0000);
        ImageIO.write(image, "png", folder.resolve("dot.png").toFile());
        Files.writeString(folder.resolve("dot.txt"), "a dot");
        var source = new PictureFolder(folder, new PictureFolder.Settings(null, null, null, true, 1), 4, Set.of(), 0);
        var random = new SplittableRandom(1);
        var places = new HashSet<Integer>();
        for (int i = 0; i < 500; i++) {
            var picture = source.draw(random).picture();
            int dots = 0, white = 0;
            for (int pixel = 0; pixel < 16; pixel++) {
                if (picture.at(pixel % 4, pixel / 4, 0) == 0) {
                    dots++;
                    places.add(pixel);
                }
                if (picture.at(pixel % 4, pixel / 4, 1) == 255) white++;
            }
            assertEquals(1, dots);
            assertTrue(Set.of(0, 4, 7).contains(white), Integer.toString(white));
        }
        assertEquals(Set.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), places);
    }

    @Test void whatIsWrongIsSaid() throws IOException {
        assertTrue(assertThrows(ModelException.class, () -> new PictureFolder(folder, ALL, 4, Set.of(), 0)).getMessage().contains("no picture with a caption"));
        Files.writeString(folder.resolve("captions.jsonl"), "{\"file\": \"gone.png\", \"caption\": \"x\"}\n");
        assertTrue(assertThrows(ModelException.class, () -> new PictureFolder(folder, ALL, 4, Set.of(), 0)).getMessage().contains("gone.png"));
        Files.writeString(folder.resolve("gone.png"), "no picture");
        assertTrue(assertThrows(ModelException.class, () -> new PictureFolder(folder, ALL, 4, Set.of(), 0)).getMessage().contains("is no picture"));
    }

    /** What is transparent has no colour, whatever its bytes say. */
    @Test void areasAreWeighedByAlpha() throws IOException {
        var half = new byte[] {(byte) 255, 0, 0, (byte) 255, 0, (byte) 255, 0, 0, (byte) 255, 0, 0, (byte) 255, 0, (byte) 255, 0, 0};
        var one = PictureReading.square(new Picture(2, 2, 4, half), 1);
        assertEquals(List.of(255, 0, 0, 128), List.of(one.at(0, 0, 0), one.at(0, 0, 1), one.at(0, 0, 2), one.at(0, 0, 3)));
        var wide = PictureReading.square(PictureReading.read(png(6, 0xFF204060), "six"), 4);
        for (int y = 0; y < 4; y++) for (int x = 0; x < 4; x++) assertEquals(List.of(0x20, 0x40, 0x60, 0xFF), List.of(wide.at(x, y, 0), wide.at(x, y, 1), wide.at(x, y, 2), wide.at(x, y, 3)));
    }

    @Test void partsAreLaidOverEachOtherAndNamed() throws IOException {
        zip("parts.zip", Map.of("b/red.png", png(4, 0xFFFF0000), "h/none.png", png(4, 0x00000000), "h/veil.png", png(4, 0x800000FF)));
        Files.writeString(folder.resolve("parts.json"), """
            {"bodies": [{"file": "b/red.png", "name": "square red"}], "heads": [{"file": "h/none.png", "name": "none"}, {"file": "h/veil.png", "name": "veil"}]}
            """);
        var layers = List.of(new LayeredPictures.Layer("bodies", "%s body", null, 1, List.of("square"), null), new LayeredPictures.Layer("heads", "%s head", null, 0, null, List.of("none")));
        var source = new LayeredPictures(folder.resolve("parts.zip"), folder.resolve("parts.json"), layers, "pixel", 4, List.of());
        assertEquals(2, source.count());
        var random = new SplittableRandom(1);
        var captions = new HashSet<String>();
        for (int i = 0; i < 300; i++) {
            var drawn = source.draw(random);
            captions.add(drawn.caption());
            assertEquals(drawn.caption().contains("veil") ? 127 : 255, drawn.picture().at(0, 0, 0));
        }
        assertTrue(captions.containsAll(Set.of("veil head, red body", "veil head, square red body, pixel", "red body")), captions.toString());
        for (var name : List.of("none", "veil")) {
            var asked = Map.of("bodies", "square red", "heads", name);
            assertEquals(name, new PartsJudge(source).nearest(source.of(asked), "heads", asked, List.of(Map.of())));
        }
        var held = new LayeredPictures(folder.resolve("parts.zip"), folder.resolve("parts.json"), layers, null, 4, List.of(new LayeredPictures.Held(Map.of("bodies", "square red", "heads", "veil"))));
        for (int i = 0; i < 100; i++) assertFalse(held.draw(random).caption().contains("veil"));
        assertThrows(ModelException.class, () -> new LayeredPictures(folder.resolve("parts.zip"), folder.resolve("parts.json"), layers, null, 4, List.of(new LayeredPictures.Held(Map.of("heads", "hat")))));
    }
}
