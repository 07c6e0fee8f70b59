package inkstone.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipFile;
import javax.imageio.ImageIO;

/** Backends and data for tests of networks. */
public final class TestDevices {
    private TestDevices() {}

    public static Backend backend(String name) { return name.equals("cpu") ? new CpuBackend() : new ReferenceBackend(); }

    /** A file or folder of the shared data; the test is skipped where it is not there. */
    public static Path data(String name) {
        var root = System.getProperty("inkstone.data");
        var path = Path.of(root == null ? "data" : root, name);
        assumeTrue(Files.exists(path), () -> "skipped: no %s; set -Dinkstone.data to the folder with the test data".formatted(path));
        return path;
    }

    /** An emoji of the set, such as "noto/1f34e.png": 64 x 64 pixels on white. */
    public static Picture emoji(String file) throws IOException {
        try (var zip = new ZipFile(data("emoji64/emoji64.zip").toFile()); var stream = zip.getInputStream(zip.getEntry(file))) {
            return picture(ImageIO.read(stream));
        }
    }

    private static Picture picture(BufferedImage image) {
        var bytes = new byte[image.getWidth() * image.getHeight() * 4];
        for (int i = 0; i < bytes.length / 4; i++) {
            int argb = image.getRGB(i % image.getWidth(), i / image.getWidth());
            for (int c = 0; c < 4; c++) bytes[4 * i + c] = (byte) (c == 3 ? argb >>> 24 : argb >> 16 - 8 * c);
        }
        return new Picture(image.getWidth(), image.getHeight(), 4, bytes).rgb(0xFFFFFF);
    }

    /** Decibels between two pictures of one size. */
    public static double psnr(Picture a, Picture b) {
        double squares = 0;
        for (int i = 0; i < a.bytes().length; i++) {
            int difference = (a.bytes()[i] & 0xFF) - (b.bytes()[i] & 0xFF);
            squares += difference * difference;
        }
        return 10 * Math.log10(255.0 * 255 * a.bytes().length / squares);
    }

    /**
     * Compares with numbers that networks.py printed: mean, deviation and the first eight.
     *
     * @param pixels   channels last
     * @param channels to which the script's order has them first; 1 for rows
     */
    public static void assertNumbers(double tolerance, float[] pixels, int channels, double mean, double deviation, double... first) {
        double sum = 0, squares = 0;
        for (float value : pixels) {
            sum += value;
            squares += (double) value * value;
        }
        double found = sum / pixels.length;
        assertEquals(mean, found, tolerance, "mean");
        assertEquals(deviation, Math.sqrt(squares / pixels.length - found * found), tolerance, "deviation");
        for (int i = 0; i < first.length; i++) assertEquals(first[i], pixels[i * channels], tolerance, "number " + i);
        for (float value : pixels) assertTrue(Float.isFinite(value));
    }
}
