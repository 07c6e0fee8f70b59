package inkstone.transformer.tune.data;

import inkstone.tensor.ModelException;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongConsumer;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * A file of training data as characters: unpacked where it is gzip, decoded as its first bytes say. Bytes that are no UTF-8 become {@link #UNDECODABLE}, which no text
 * holds, so that the row they are in can be told. Memory: a few buffers.
 */
final class DataFile implements AutoCloseable {
    /** Characters of one row, about a million tokens: more is a broken file (a quote or a line end is missing), not a row. */
    static final int LONGEST_ROW = 4 << 20;
    static final char UNDECODABLE = '\uFFFF';
    private static final int HEAD = 1 << 16;

    private final InputStream bytes;
    private final Reader reader;
    private final String encoding;

    private DataFile(InputStream bytes, Charset charset, String encoding) {
        this.bytes = bytes;
        this.encoding = encoding;
        reader = new InputStreamReader(bytes, charset.newDecoder().onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE).replaceWith(String.valueOf(UNDECODABLE)));
    }

    /** @param read told how many bytes of the file were read, now and then */
    static DataFile open(Path path, LongConsumer read) throws IOException {
        if (Files.size(path) == 0) throw new ModelException(path + " is empty");
        var file = new BufferedInputStream(new Counted(Files.newInputStream(path), read), HEAD);
        try {
            var head = head(file);
            refuseBinary(path, head);
            var bytes = file;
            if (starts(head, 0x1F, 0x8B)) {
                bytes = new BufferedInputStream(new Unpacked(path, file), HEAD);
                head = head(bytes);
                if (head.length == 0) throw new ModelException(path + " is empty once unpacked");
            }
            return decoded(path, bytes, head);
        } catch (IOException | RuntimeException failed) {
            file.close();
            throw failed;
        }
    }

    private static DataFile decoded(Path path, InputStream bytes, byte[] head) throws IOException {
        if (starts(head, 0xEF, 0xBB, 0xBF)) {
            bytes.skipNBytes(3);
            return new DataFile(bytes, StandardCharsets.UTF_8, "UTF-8 with a byte order mark");
        }
        if (starts(head, 0xFF, 0xFE) || starts(head, 0xFE, 0xFF)) {
            bytes.skipNBytes(2);
            boolean little = starts(head, 0xFF, 0xFE);
            return new DataFile(bytes, little ? StandardCharsets.UTF_16LE : StandardCharsets.UTF_16BE, "UTF-16");
        }
        int zeros = 0;
        for (byte b : head) if (b == 0) zeros++;
        if (zeros > head.length / 4) throw new ModelException(path + " looks like UTF-16 or UTF-32 without a byte order mark, or is no text; save it as UTF-8");
        if (zeros > 0) throw new ModelException(path + " has NUL bytes, so it is no text file; data is read from JSON, JSON lines, CSV and text in UTF-8");
        return new DataFile(bytes, StandardCharsets.UTF_8, "UTF-8");
    }

    private static void refuseBinary(Path path, byte[] head) {
        var what = starts(head, 'P', 'A', 'R', '1') ? "a Parquet file" : starts(head, 'P', 'K', 3, 4) ? "a ZIP archive or an Office document"
            : starts(head, 0x28, 0xB5, 0x2F, 0xFD) ? "packed with Zstandard" : starts(head, 'B', 'Z', 'h') ? "packed with bzip2" : starts(head, 0xFD, '7', 'z', 'X', 'Z') ? "packed with xz"
            : starts(head, '%', 'P', 'D', 'F') ? "a PDF document" : starts(head, 'G', 'G', 'U', 'F') ? "a GGUF model" : null;
        if (what != null) throw new ModelException("%s is %s; data is read from JSON, JSON lines, CSV and text, also packed with gzip".formatted(path, what));
    }

    private static byte[] head(InputStream in) throws IOException {
        in.mark(HEAD);
        var head = in.readNBytes(HEAD);
        in.reset();
        return head;
    }

    private static boolean starts(byte[] head, int... with) {
        if (head.length < with.length) return false;
        for (int i = 0; i < with.length; i++) if ((head[i] & 0xFF) != with[i]) return false;
        return true;
    }

    Reader reader() { return reader; }

    /** As people call it. */
    String encoding() { return encoding; }

    @Override public void close() throws IOException { bytes.close(); }

    /** gzip, whose failures say which file they are of. */
    private static final class Unpacked extends FilterInputStream {
        private final Path path;

        Unpacked(Path path, InputStream packed) throws IOException {
            super(new GZIPInputStream(packed, HEAD));
            this.path = path;
        }

        @Override public int read(byte[] to, int from, int length) throws IOException {
            try {
                return super.read(to, from, length);
            } catch (EOFException | ZipException broken) {
                throw new ModelException("%s cannot be unpacked: %s; is it whole?".formatted(path, broken.getMessage()), broken);
            }
        }
    }

    private static final class Counted extends FilterInputStream {
        private final LongConsumer read;
        private long count;

        Counted(InputStream in, LongConsumer read) {
            super(in);
            this.read = read;
        }

        @Override public int read(byte[] to, int from, int length) throws IOException {
            int got = super.read(to, from, length);
            if (got > 0) read.accept(count += got);
            return got;
        }
    }
}
