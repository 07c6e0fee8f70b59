package inkstone.diffusion.picture;

import inkstone.diffusion.Picture;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * A picture that somebody brought: PNG, JPEG, GIF (its first picture) or BMP, recognised by their first bytes.
 *
 * @param format "PNG", for example
 * @param texts  of a PNG, by keyword: {@link Parameters#KEYWORD} has what it was painted with
 */
public record PictureFile(Picture picture, String format, Map<String, String> texts) {
    /** Longest side that is read: decoded, that is 200 MB. */
    public static final int LARGEST = 8192;

    /**
     * Reads a whole file. Its size is looked at before anything is decoded.
     *
     * @throws IllegalArgumentException in one line, for what is no picture, is damaged or too large
     */
    public static PictureFile read(byte[] file) {
        String format = format(file);
        byte[] pixels = file;
        Map<String, String> texts = Map.of();
        if (format.equals("PNG")) {
            Png.Parts parts = Png.take(file);
            pixels = parts.pixels();
            texts = parts.texts();
        }
        ImageReader reader = ImageIO.getImageReadersByFormatName(format).next();
        try (var in = new MemoryCacheImageInputStream(new ByteArrayInputStream(pixels))) {
            reader.setInput(in, true, true);
            int width = reader.getWidth(0), height = reader.getHeight(0);
            if (width > LARGEST || height > LARGEST) throw new TooLarge("a picture may have up to %d x %d pixels, this one has %d x %d; make it smaller first".formatted(LARGEST, LARGEST, width, height));
            return new PictureFile(picture(reader.read(0)), format, texts);
        } catch (TooLarge e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            // The decoders throw what they please at a damaged file.
            String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage().lines().findFirst().orElse("");
            throw new IllegalArgumentException("this %s cannot be read: %s".formatted(format, why), e);
        } finally {
            reader.dispose();
        }
    }

    private static String format(byte[] file) {
        if (Arrays.mismatch(file, Png.SIGNATURE) == Png.SIGNATURE.length) return "PNG";
        String start = new String(file, 0, Math.min(file.length, 16), StandardCharsets.ISO_8859_1);
        if (start.startsWith("\u00FF\u00D8\u00FF")) return "JPEG";
        if (start.startsWith("GIF8")) return "GIF";
        if (start.startsWith("BM")) return "BMP";
        String guess = start.startsWith("RIFF") && start.startsWith("WEBP", 8) ? "a WebP picture" : start.startsWith("ftyp", 4) ? "an AVIF or HEIC picture"
            : start.startsWith("II*\0") || start.startsWith("MM\0*") ? "a TIFF picture" : "not a picture that is known here";
        throw new IllegalArgumentException("this is " + guess + "; save it as PNG or JPEG (GIF and BMP are read too)");
    }

    private static Picture picture(BufferedImage image) {
        int width = image.getWidth(), height = image.getHeight();
        var colours = image.getColorModel();
        if (!(colours instanceof IndexColorModel) && colours.getNumColorComponents() == 1 && !colours.hasAlpha()) return grey(image.getRaster(), width, height);
        int channels = colours.hasAlpha() ? 4 : 3;
        var bytes = new byte[Math.multiplyExact(width * channels, height)];
        var row = new int[width];
        for (int y = 0, at = 0; y < height; y++) {
            image.getRGB(0, y, width, 1, row, 0, width);
            for (int argb : row) {
                bytes[at++] = (byte) (argb >> 16);
                bytes[at++] = (byte) (argb >> 8);
                bytes[at++] = (byte) argb;
                if (channels == 4) bytes[at++] = (byte) (argb >>> 24);
            }
        }
        return new Picture(width, height, channels, bytes);
    }

    /** The samples themselves: getRGB would take grey for linear light and make it brighter. */
    private static Picture grey(Raster raster, int width, int height) {
        int bits = raster.getSampleModel().getSampleSize(0);
        var bytes = new byte[width * height];
        var row = new int[width];
        for (int y = 0; y < height; y++) {
            raster.getSamples(0, y, width, 1, 0, row);
            for (int x = 0; x < width; x++) bytes[y * width + x] = (byte) (row[x] * 255L / ((1 << bits) - 1));
        }
        return new Picture(width, height, 1, bytes);
    }

    private static final class TooLarge extends IllegalArgumentException {
        TooLarge(String message) { super(message); }
    }
}
