package inkstone.diffusion.picture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class PngTest {
    private static final long SEED = 20;

    @Test void aPictureAndItsTextsComeBack() {
        var random = new Random(SEED);
        for (int n = 0; n < 60; n++) {
            Picture picture = picture(random, 1 + random.nextInt(40), 1 + random.nextInt(40), new int[]{1, 3, 4}[n % 3], n % 2 == 0);
            var texts = Map.of("parameters", "a cat, 3d\nSteps: 20", "Unicode", "猫 и 🐈");
            PictureFile read = PictureFile.read(Png.write(picture, texts));
            assertEquals(picture, read.picture(), "seed " + SEED + ", case " + n);
            assertEquals(texts, read.texts());
            assertEquals("PNG", read.format());
        }
    }

    @Test void othersReadWhatIsWritten() throws IOException {
        Picture picture = picture(new Random(SEED), 33, 21, 3, false);
        BufferedImage image = ImageIO.read(new ByteArrayInputStream(Png.write(picture, Map.of())));
        for (int y = 0; y < 21; y++) for (int x = 0; x < 33; x++) {
            assertEquals(picture.at(x, y, 0) << 16 | picture.at(x, y, 1) << 8 | picture.at(x, y, 2), image.getRGB(x, y) & 0xFFFFFF);
        }
    }

    /** A smooth picture is small because its rows are filtered. */
    @Test void smoothPicturesAreSmall() {
        var bytes = new byte[256 * 256 * 3];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) ((i / 3 % 256 + i / 768 * (1 + i % 3)) / 2);
        assertTrue(Png.write(new Picture(256, 256, 3, bytes), Map.of()).length < 6_000);
    }

    @Test void textsOfAllThreeKindsAreRead() {
        Picture picture = picture(new Random(SEED), 4, 4, 3, true);
        byte[] file = with(picture, chunk("tEXt", latin("a\0caf\u00E9")), chunk("zTXt", join(latin("b\0\0"), zlib(latin("packed")))), chunk("iTXt", join(latin("c\0\0\0de\0titre\0"), utf8("猫"))),
            chunk("iTXt", join(latin("d\0\1\0\0\0"), zlib(utf8("猫 packed")))), chunk("tEXt", latin("a\0again")));
        assertEquals(Map.of("a", "caf\u00E9", "b", "packed", "c", "猫", "d", "猫 packed"), PictureFile.read(file).texts());
    }

    /** Texts that are not as they should be are left out, and the picture is read all the same; one of a gigabyte, packed, is not unpacked. */
    @Test void hostileTextsAreLeftOut() {
        Picture picture = picture(new Random(SEED), 4, 4, 3, true);
        byte[] file = with(picture, chunk("tEXt", latin("no zero")), chunk("tEXt", latin("\0no name")), chunk("zTXt", latin("b\0")), chunk("zTXt", latin("c\0\0not zlib")), chunk("iTXt", latin("d\0\0\0no more")),
            chunk("zTXt", join(latin("bomb\0\0"), zlib(new byte[64 << 20]))), chunk("iTXt", latin("e\0\1\7\0\0x")), chunk("tEXt", latin("k".repeat(80) + "\0long")), chunk("tEXt", latin("good\0text")));
        PictureFile read = PictureFile.read(file);
        assertEquals(Map.of("good", "text"), read.texts());
        assertEquals(picture, read.picture());
        var many = new byte[100][];
        for (int i = 0; i < many.length; i++) many[i] = chunk("tEXt", latin("k" + i + "\0text"));
        assertEquals(64, PictureFile.read(with(picture, many)).texts().size());
    }

    @Test void otherFormatsAreRead() throws IOException {
        var image = new BufferedImage(12, 9, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < 9; y++) for (int x = 0; x < 12; x++) image.setRGB(x, y, 0x336699);
        for (String format : List.of("PNG", "JPEG", "GIF", "BMP")) {
            PictureFile read = PictureFile.read(encoded(image, format));
            assertEquals(format, read.format());
            assertEquals(12, read.picture().width());
            assertEquals(0x66, read.picture().at(5, 5, 1), 3, format);
            assertEquals(3, read.picture().channels(), format);
        }
    }

    /** Java's decoder would show grey brighter than it is written. */
    @Test void greyStaysAsItIs() throws IOException {
        for (int type : new int[]{BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_USHORT_GRAY, BufferedImage.TYPE_BYTE_BINARY}) {
            var image = new BufferedImage(2, 1, type);
            int bits = type == BufferedImage.TYPE_USHORT_GRAY ? 16 : type == BufferedImage.TYPE_BYTE_GRAY ? 8 : 1;
            image.getRaster().setSample(0, 0, 0, bits == 1 ? 1 : 100 << bits - 8);
            Picture read = PictureFile.read(encoded(image, "PNG")).picture();
            assertEquals(bits == 1 ? 255 : 100, read.at(0, 0, 0), 1);
            assertEquals(0, read.at(1, 0, 0));
        }
    }

    @Test void whatIsNoPictureIsSaidInOneLine() {
        assertError("this is not a picture that is known here; save it as PNG or JPEG (GIF and BMP are read too)", latin("hello, this is text"));
        assertError("this is not a picture that is known here; save it as PNG or JPEG (GIF and BMP are read too)", new byte[0]);
        assertError("this is a WebP picture; save it as PNG or JPEG (GIF and BMP are read too)", latin("RIFF\1\2\3\4WEBPVP8 "));
        byte[] file = Png.write(picture(new Random(SEED), 8, 8, 3, false), Map.of());
        assertError("this PNG is damaged: it stops before its end", Arrays.copyOf(file, file.length - 12));
        file[20]++;
        assertError("this PNG is damaged: the sum of part IHDR is wrong", file);
        assertError("a picture may have up to 8192 x 8192 pixels, this one has 100000 x 1; make it smaller first", headed(100_000, 1));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> PictureFile.read(headed(0x7FFFFFFF, 0x7FFFFFFF))).getMessage().startsWith("a picture may have up to"));
        assertThrows(IllegalArgumentException.class, () -> PictureFile.read(headed(0, 5)));
    }

    private static void assertError(String message, byte[] file) { assertEquals(message, assertThrows(IllegalArgumentException.class, () -> PictureFile.read(file)).getMessage()); }

    /** A small file that says it is large. */
    private static byte[] headed(int width, int height) {
        return join(Png.SIGNATURE, chunk("IHDR", ByteBuffer.allocate(13).putInt(width).putInt(height).put((byte) 8).put((byte) 2).array()), chunk("IDAT", zlib(new byte[8])), chunk("IEND", new byte[0]));
    }

    /** Bytes anywhere, and, with the sums made right again, inside the parts that are decoded. */
    @Test void damagedFilesAreReadOrRefusedInOneLine() throws IOException {
        var random = new Random(SEED);
        var image = new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < 20; y++) for (int x = 0; x < 20; x++) image.setRGB(x, y, random.nextInt(1 << 24));
        for (String format : List.of("PNG", "JPEG", "GIF", "BMP")) {
            byte[] whole = encoded(image, format);
            for (int n = 0; n < 400; n++) {
                byte[] file = n % 4 == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length)) : whole.clone();
                for (int flips = 1 + random.nextInt(4); flips > 0 && file.length > 0; flips--) file[random.nextInt(file.length)] = (byte) random.nextInt(256);
                if (format.equals("PNG") && n % 2 == 1) mendSums(file);
                try {
                    PictureFile.read(file);
                } catch (IllegalArgumentException e) {
                    assertEquals(1, e.getMessage().lines().count(), format + ", seed " + SEED + ", case " + n + ": " + e.getMessage());
                }
            }
        }
    }

    private static void mendSums(byte[] file) {
        var data = ByteBuffer.wrap(file);
        for (int at = 8; at + 12 <= file.length; ) {
            int length = data.getInt(at);
            if (length < 0 || length > file.length - at - 12) return;
            var sum = new CRC32();
            sum.update(file, at + 4, length + 4);
            data.putInt(at + 8 + length, (int) sum.getValue());
            at += length + 12;
        }
    }

    @Test void keywordsAreChecked() {
        Picture picture = picture(new Random(SEED), 2, 2, 3, true);
        assertThrows(IllegalArgumentException.class, () -> Png.write(picture, Map.of("", "text")));
        assertThrows(IllegalArgumentException.class, () -> Png.write(picture, Map.of("猫", "text")));
        assertNull(PictureFile.read(Png.write(picture, Map.of("a", "b"))).texts().get("parameters"));
        assertEquals("ab", PictureFile.read(Png.write(picture, Map.of("a", "a\0b"))).texts().get("a"));
    }

    @Test void resizingKeepsWhatIsThere() {
        Picture flat = new Picture(10, 6, 3, filled(180, 77));
        for (int[] size : new int[][]{{3, 3}, {25, 14}, {10, 3}, {1, 1}, {64, 64}}) for (byte b : Resize.to(flat, size[0], size[1]).bytes()) assertEquals(77, b);
        // Reduced to half, every pixel counts: black and white lines become grey, but for the edges.
        var lines = new Picture(32, 2, 1, new byte[64]);
        for (int i = 0; i < 64; i++) lines.bytes()[i] = (byte) (i % 2 == 0 ? 255 : 0);
        Picture half = Resize.to(lines, 16, 1);
        for (int x = 2; x < 14; x++) assertEquals(127.5, half.at(x, 0, 0), 4);
        // A slope enlarged is the same slope.
        var slope = new Picture(16, 1, 1, new byte[16]);
        for (int i = 0; i < 16; i++) slope.bytes()[i] = (byte) (10 * i + 20);
        Picture wide = Resize.to(slope, 64, 1);
        for (int x = 16; x < 48; x++) assertEquals(10 * ((x + 0.5) / 4 - 0.5) + 20, wide.at(x, 0, 0), 1.5);
        assertEquals(flat, Resize.to(flat, 10, 6));
    }

    @Test void coveringCutsTheMiddle() {
        var wide = new Picture(30, 10, 1, new byte[300]);
        for (int y = 0; y < 10; y++) for (int x = 10; x < 20; x++) wide.bytes()[y * 30 + x] = (byte) 200;
        for (byte b : Resize.covering(wide, 5, 5).bytes()) assertEquals((byte) 200, b);
        assertEquals(20, Resize.covering(wide, 40, 20).height());
        assertArrayEquals(new byte[]{0, (byte) 200}, Resize.crop(wide, 9, 3, 2, 1).bytes());
        assertThrows(IllegalArgumentException.class, () -> Resize.crop(wide, 29, 0, 2, 1));
    }

    private static byte[] filled(int n, int value) {
        var bytes = new byte[n];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private static Picture picture(Random random, int width, int height, int channels, boolean smooth) {
        var bytes = new byte[width * height * channels];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (smooth ? i / channels % width * 3 + i / channels / width : random.nextInt());
        return new Picture(width, height, channels, bytes);
    }

    private static byte[] encoded(BufferedImage image, String format) throws IOException {
        var out = new ByteArrayOutputStream();
        assertTrue(ImageIO.write(image, format, out));
        return out.toByteArray();
    }

    /** The picture's file with these parts behind its header. */
    private static byte[] with(Picture picture, byte[]... chunks) {
        byte[] file = Png.write(picture, Map.of());
        return join(Arrays.copyOf(file, 33), join(chunks), Arrays.copyOfRange(file, 33, file.length));
    }

    private static byte[] chunk(String type, byte[] data) {
        byte[] named = join(latin(type), data);
        var sum = new CRC32();
        sum.update(named);
        return join(ByteBuffer.allocate(4).putInt(data.length).array(), named, ByteBuffer.allocate(4).putInt((int) sum.getValue()).array());
    }

    private static byte[] zlib(byte[] data) {
        var out = new ByteArrayOutputStream();
        try (var deflater = new DeflaterOutputStream(out)) {
            deflater.write(data);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return out.toByteArray();
    }

    private static byte[] latin(String text) { return text.getBytes(StandardCharsets.ISO_8859_1); }
    private static byte[] utf8(String text) { return text.getBytes(StandardCharsets.UTF_8); }

    private static byte[] join(byte[]... parts) {
        var out = new ByteArrayOutputStream();
        for (byte[] part : parts) out.writeBytes(part);
        return out.toByteArray();
    }
}
