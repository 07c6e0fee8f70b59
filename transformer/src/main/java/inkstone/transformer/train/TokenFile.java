package inkstone.transformer.train;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/**
 * Documents as tokens, prepared once ({@link TokenPreparation}) and read at any place, mapped, not loaded. All numbers are little-endian:
 * <pre>
 *   0  "InkToken"                 16  vocabulary size, 4 bytes        56  SHA-256 of the texts and of how chats were written out
 *   8  version, 4 bytes           20  zero, 4 bytes                   88  zeros up to 128
 *  12  bytes a token: 2 or 4      24  SHA-256 of the tokenizer
 * 128  the tokens of all documents, zeros up to a multiple of 8, then 8 bytes for each document: how many tokens lie before its end
 *      last 32 bytes: tokens, documents, CRC-32C of all before it, "InkTkEnd"; 8 bytes each
 * </pre>
 * Opening reads the file once and checks all of it: sizes, checksum, that documents are in order and every token is of the vocabulary. Immutable; any thread, until closed.
 */
public final class TokenFile implements AutoCloseable {
    static final long MAGIC = 0x6E656B6F546B6E49L, END_MAGIC = 0x646E456B546B6E49L;
    static final int VERSION = 1, HEADER_BYTES = 128;

    private static final int FOOTER_BYTES = 32, HASH_BYTES = 32, TOKENIZER_AT = 24, INPUTS_AT = 56;
    private static final int LARGEST_VOCABULARY = 1 << 22;
    /** Fewer documents cannot be shared out in a ratio, so each gives a part of itself. */
    private static final int FEW_DOCUMENTS = 20;
    private static final ValueLayout.OfShort U16 = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32 = JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong I64 = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** @param validation documents that are never learned from */
    public record Split(Documents training, Documents validation) {}

    private final Path path;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes;
    private final int tokenBytes, vocabularySize, documents;
    private final long tokens, endsAt;

    private TokenFile(Path path) throws IOException {
        this.path = path;
        try (var channel = FileChannel.open(path)) {
            bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            long size = bytes.byteSize();
            if (size < Long.BYTES || bytes.get(I64, 0) != MAGIC) throw wrong("is not a token file; give one that was prepared here");
            if (size < HEADER_BYTES + FOOTER_BYTES || bytes.get(I64, size - Long.BYTES) != END_MAGIC) throw wrong("is cut short");
            if (bytes.get(I32, 8) != VERSION) throw wrong("is of version %d, this program reads %d", bytes.get(I32, 8), VERSION);
            vocabularySize = bytes.get(I32, 16);
            tokenBytes = bytes.get(I32, 12);
            if (vocabularySize < 1 || vocabularySize > LARGEST_VOCABULARY || tokenBytes != tokenBytes(vocabularySize)) {
                throw wrong("has %d bytes a token for a vocabulary of %d", tokenBytes, vocabularySize);
            }
            tokens = bytes.get(I64, size - FOOTER_BYTES);
            long count = bytes.get(I64, size - FOOTER_BYTES + Long.BYTES);
            if (tokens < 0 || tokens > size || count < 0 || count > tokens || count > Integer.MAX_VALUE || size != size(tokens, count)) {
                throw wrong("has %,d bytes, which are not %,d tokens in %,d documents", size, tokens, count);
            }
            documents = (int) count;
            endsAt = HEADER_BYTES + tokens * tokenBytes + padding(tokens * tokenBytes);
            requireChecksum();
            requireDocuments();
            requireTokens();
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** @throws ModelException where this is no token file, or one that is not whole */
    public static TokenFile open(Path path) throws IOException { return new TokenFile(path); }

    /** Two bytes hold what most vocabularies have. */
    static int tokenBytes(int vocabularySize) { return vocabularySize <= 1 << 16 ? Short.BYTES : Integer.BYTES; }

    static int padding(long bytes) { return (int) (-bytes & 7); }

    private long size(long tokens, long documents) {
        return HEADER_BYTES + tokens * tokenBytes + padding(tokens * tokenBytes) + documents * Long.BYTES + FOOTER_BYTES;
    }

    private void requireChecksum() {
        var checksum = new CRC32C();
        long end = bytes.byteSize() - 2 * Long.BYTES;
        for (long at = 0, piece; at < end; at += piece) {
            piece = Math.min(1 << 26, end - at);
            checksum.update(bytes.asSlice(at, piece).asByteBuffer());
        }
        if (checksum.getValue() != bytes.get(I64, end)) throw wrong("is damaged: its checksum should be %08x and is %08x", bytes.get(I64, end), checksum.getValue());
    }

    private void requireDocuments() {
        long last = 0;
        for (int i = 0; i < documents; i++) {
            if (end(i) <= last) throw wrong("says that document %d ends at token %d, after one that ends at %d", i, end(i), last);
            last = end(i);
        }
        if (last != tokens) throw wrong("has documents of %,d tokens in all, and %,d tokens", last, tokens);
    }

    private void requireTokens() {
        for (long i = 0; i < tokens; i++) if (Integer.compareUnsigned(token(i), vocabularySize) >= 0) throw wrong("has the token %d in a vocabulary of %d", token(i), vocabularySize);
    }

    private ModelException wrong(String message, Object... values) { return new ModelException("%s: %s; prepare it again".formatted(path, message.formatted(values))); }

    public Path path() { return path; }
    public int vocabularySize() { return vocabularySize; }
    /** In all documents, those that begin and end them as well. */
    public long tokens() { return tokens; }
    public int documents() { return documents; }
    /** {@link Tokenizer#fingerprint} of the tokenizer that made it. */
    public byte[] tokenizer() { return bytes.asSlice(TOKENIZER_AT, HASH_BYTES).toArray(ValueLayout.JAVA_BYTE); }
    /** SHA-256 of what it was made of. */
    public byte[] inputs() { return bytes.asSlice(INPUTS_AT, HASH_BYTES).toArray(ValueLayout.JAVA_BYTE); }

    /** Where a document begins and ends among all tokens. */
    public long start(int document) { return document == 0 ? 0 : end(document - 1); }
    public long end(int document) { return bytes.get(I64, endsAt + (long) document * Long.BYTES); }

    public int token(long index) {
        return tokenBytes == Short.BYTES ? bytes.get(U16, HEADER_BYTES + index * Short.BYTES) & 0xFFFF : bytes.get(I32, HEADER_BYTES + index * Integer.BYTES);
    }

    /** Puts tokens {@code from} onwards into {@code to[at]} onwards. */
    void copy(long from, int[] to, int at, int count) { for (int i = 0; i < count; i++) to[at + i] = token(from + i); }

    /** @throws ModelException where another tokenizer made it */
    public void requireTokenizer(Tokenizer tokenizer) {
        if (!Arrays.equals(tokenizer(), tokenizer.fingerprint())) throw wrong("was made with another tokenizer (%.8s) than the model's (%.8s)", hex(tokenizer()), hex(tokenizer.fingerprint()));
    }

    private static String hex(byte[] hash) { return HexFormat.of().formatHex(hash); }

    /** Every document, in order. */
    public Documents all() {
        var starts = new long[documents];
        var ends = new long[documents];
        for (int i = 0; i < documents; i++) {
            starts[i] = start(i);
            ends[i] = end(i);
        }
        return new Documents(this, starts, ends);
    }

    /**
     * Keeps documents back, drawn by the seed, until they have this share of the tokens; at least one, where a share is asked for. Of fewer than {@value #FEW_DOCUMENTS} documents each keeps
     * its own end back, as nanoGPT does with the one text that it learns from.
     *
     * @param share 0 for none, up to 0.5
     */
    public Split split(double share, long seed) {
        if (!(share >= 0 && share <= 0.5)) throw new IllegalArgumentException("the share for validation should be 0 to 0.5, got " + share);
        if (share == 0) return new Split(all(), new Documents(this, new long[0], new long[0]));
        return documents < FEW_DOCUMENTS ? splitEach(share) : splitByDocument(share, seed);
    }

    private Split splitEach(double share) {
        var all = all();
        var cuts = new long[documents];
        for (int i = 0; i < documents; i++) cuts[i] = all.starts()[i] + (long) ((all.ends()[i] - all.starts()[i]) * (1 - share));
        return new Split(filled(all.starts(), cuts), filled(cuts, all.ends()));
    }

    private Documents filled(long[] starts, long[] ends) {
        var filled = IntStream.range(0, starts.length).filter(i -> starts[i] < ends[i]).toArray();
        return new Documents(this, Arrays.stream(filled).mapToLong(i -> starts[i]).toArray(), Arrays.stream(filled).mapToLong(i -> ends[i]).toArray());
    }

    private Split splitByDocument(double share, long seed) {
        var order = Shuffle.order(documents, new SplittableRandom(seed));
        long wanted = (long) Math.ceil(share * tokens), got = 0;
        int kept = 0;
        while (got < wanted && kept < documents - 1) {
            got += end(order[kept]) - start(order[kept]);
            kept++;
        }
        return new Split(drawn(Arrays.copyOfRange(order, kept, documents)), drawn(Arrays.copyOf(order, kept)));
    }

    private Documents drawn(int[] order) {
        return new Documents(this, Arrays.stream(order).mapToLong(this::start).toArray(), Arrays.stream(order).mapToLong(this::end).toArray());
    }

    /** What was read of it must not be used any more. */
    @Override public void close() { arena.close(); }
}
