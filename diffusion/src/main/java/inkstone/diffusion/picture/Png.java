package inkstone.diffusion.picture;

import inkstone.diffusion.Picture;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * PNG (ISO/IEC 15948): writes pictures of 8 bits with texts, and takes a file apart into chunks, its texts read and everything but the pixels left out, so that whoever decodes it meets nothing
 * else. Sums are checked.
 */
public final class Png {
    static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    private static final int MOST_TEXTS = 64, MOST_TEXT = 1 << 20;
    private static final int FILTERS = 5;

    private Png() {}

    /**
     * A whole file.
     *
     * @param texts by keyword, of 1 to 79 characters of Latin-1; texts beyond Latin-1 go into iTXt chunks, as Python's imaging library does
     */
    public static byte[] write(Picture picture, Map<String, String> texts) {
        var file = new ByteArrayOutputStream();
        file.writeBytes(SIGNATURE);
        byte colour = (byte) switch (picture.channels()) { case 1 -> 0; case 3 -> 2; default -> 6; };
        chunk(file, "IHDR", ByteBuffer.allocate(13).putInt(picture.width()).putInt(picture.height()).put((byte) 8).put(colour).array());
        texts.forEach((keyword, text) -> text(file, keyword, text.replace("\0", "")));       // a zero would end the text
        chunk(file, "IDAT", deflated(filtered(picture)));
        chunk(file, "IEND", new byte[0]);
        return file.toByteArray();
    }

    private static void text(ByteArrayOutputStream file, String keyword, String text) {
        var latin = StandardCharsets.ISO_8859_1.newEncoder();
        if (keyword.isEmpty() || keyword.length() > 79 || keyword.indexOf(0) >= 0 || !latin.canEncode(keyword)) {
            throw new IllegalArgumentException("a keyword has 1 to 79 characters of Latin-1, got '" + keyword + "'");
        }
        var data = new ByteArrayOutputStream();
        data.writeBytes(keyword.getBytes(StandardCharsets.ISO_8859_1));
        boolean plain = latin.canEncode(text);
        data.writeBytes(new byte[plain ? 1 : 5]);            // iTXt: not compressed, no language, no translated keyword
        data.writeBytes(text.getBytes(plain ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8));
        chunk(file, plain ? "tEXt" : "iTXt", data.toByteArray());
    }

    private static void chunk(ByteArrayOutputStream file, String type, byte[] data) {
        byte[] name = type.getBytes(StandardCharsets.US_ASCII);
        var sum = new CRC32();
        sum.update(name);
        sum.update(data);
        file.writeBytes(ByteBuffer.allocate(4).putInt(data.length).array());
        file.writeBytes(name);
        file.writeBytes(data);
        file.writeBytes(ByteBuffer.allocate(4).putInt((int) sum.getValue()).array());
    }

    /** Each row with the filter whose differences are smallest in sum, as the specification advises (section 12.7). */
    private static byte[] filtered(Picture picture) {
        int channels = picture.channels(), length = picture.width() * channels;
        var rows = new byte[Math.multiplyExact(length + 1, picture.height())];
        var candidate = new byte[length];
        for (int y = 0; y < picture.height(); y++) {
            long best = Long.MAX_VALUE;
            for (int filter = 0; filter < FILTERS; filter++) {
                long sum = 0;
                for (int i = 0; i < length; i++) {
                    int at = y * length + i;
                    int left = i < channels ? 0 : picture.bytes()[at - channels] & 0xFF, up = y == 0 ? 0 : picture.bytes()[at - length] & 0xFF;
                    int corner = i < channels || y == 0 ? 0 : picture.bytes()[at - length - channels] & 0xFF;
                    candidate[i] = (byte) (picture.bytes()[at] - switch (filter) { case 0 -> 0; case 1 -> left; case 2 -> up; case 3 -> (left + up) / 2; default -> paeth(left, up, corner); });
                    sum += Math.abs(candidate[i]);
                }
                if (sum >= best) continue;
                best = sum;
                rows[y * (length + 1)] = (byte) filter;
                System.arraycopy(candidate, 0, rows, y * (length + 1) + 1, length);
            }
        }
        return rows;
    }

    private static int paeth(int left, int up, int corner) {
        int toLeft = Math.abs(up - corner), toUp = Math.abs(left - corner), toCorner = Math.abs(left + up - 2 * corner);
        return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }

    private static byte[] deflated(byte[] rows) {
        try (var deflater = new Deflater()) {
            deflater.setInput(rows);
            deflater.finish();
            var out = new ByteArrayOutputStream(rows.length / 2 + 64);
            var buffer = new byte[1 << 16];
            while (!deflater.finished()) out.write(buffer, 0, deflater.deflate(buffer));
            return out.toByteArray();
        }
    }

    /**
     * A file's texts, the first of each keyword, and the file again with its pixels only.
     *
     * @throws IllegalArgumentException in one line, if it is damaged
     */
    static Parts take(byte[] file) {
        var texts = new LinkedHashMap<String, String>();
        var pixels = new ByteArrayOutputStream(file.length);
        pixels.writeBytes(SIGNATURE);
        var data = ByteBuffer.wrap(file).position(SIGNATURE.length);
        int textChunks = 0;
        while (true) {
            if (data.remaining() < 12) throw new IllegalArgumentException("this PNG is damaged: it stops before its end");
            int start = data.position(), length = data.getInt();
            var name = new byte[4];
            data.get(name);
            String type = new String(name, StandardCharsets.ISO_8859_1);
            if (length < 0 || length > data.remaining() - 4) throw new IllegalArgumentException("this PNG is damaged: a part goes on after the file's end");
            var sum = new CRC32();
            sum.update(file, start + 4, length + 4);
            int body = data.position(), given = data.position(body + length).getInt();
            if ((int) sum.getValue() != given) throw new IllegalArgumentException("this PNG is damaged: the sum of part %s is wrong".formatted(type.matches("[A-Za-z]{4}") ? type : "?"));
            switch (type) {
                case "tEXt", "zTXt", "iTXt" -> { if (textChunks++ < MOST_TEXTS) read(type, ByteBuffer.wrap(file, body, length).slice(), texts); }
                case "IHDR", "PLTE", "tRNS", "IDAT", "IEND" -> pixels.write(file, start, length + 12);
                default -> {}
            }
            if (type.equals("IEND")) return new Parts(pixels.toByteArray(), texts);
        }
    }

    /** One text chunk; what is not as it should be is left out, for a picture is worth more than its texts. */
    private static void read(String type, ByteBuffer data, Map<String, String> texts) {
        String keyword = zeroEnded(data);
        if (keyword == null || keyword.isEmpty() || keyword.length() > 79) return;
        boolean compressed = type.equals("zTXt");
        if (type.equals("zTXt")) {
            if (data.remaining() < 1 || data.get() != 0) return;
        } else if (type.equals("iTXt")) {
            if (data.remaining() < 2) return;
            compressed = data.get() == 1;
            if (data.get() != 0 || zeroEnded(data) == null || zeroEnded(data) == null) return;
        }
        var bytes = new byte[data.remaining()];
        data.get(bytes);
        if (compressed) bytes = inflated(bytes);
        if (bytes == null || bytes.length > MOST_TEXT) return;
        texts.putIfAbsent(keyword, new String(bytes, type.equals("iTXt") ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1));
    }

    /** Up to the next zero, which is read too; null if there is none. */
    private static String zeroEnded(ByteBuffer data) {
        int start = data.position();
        for (int i = start; i < data.limit(); i++) {
            if (data.get(i) != 0) continue;
            var bytes = new byte[i - start];
            data.get(bytes).get();
            return new String(bytes, StandardCharsets.ISO_8859_1);
        }
        return null;
    }

    /** At most MOST_TEXT bytes; null for more, and for what is not zlib's. */
    private static byte[] inflated(byte[] bytes) {
        try (var inflater = new Inflater()) {
            inflater.setInput(bytes);
            var out = new ByteArrayOutputStream();
            var buffer = new byte[8192];
            while (!inflater.finished()) {
                int count = inflater.inflate(buffer);
                if (count == 0 || out.size() + count > MOST_TEXT) return null;
                out.write(buffer, 0, count);
            }
            return out.toByteArray();
        } catch (DataFormatException e) {
            return null;
        }
    }

    record Parts(byte[] pixels, Map<String, String> texts) {}
}
