package inkstone.transformer.train;

import inkstone.tensor.checkpoint.NewFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.CRC32C;

/** Writes a {@link TokenFile}, which appears whole or not at all. Holds 8 bytes a document in memory. One thread. */
final class TokenFileWriter implements AutoCloseable {
    private final NewFile file;
    private final int tokenBytes, vocabularySize;
    private final CRC32C checksum = new CRC32C();
    private long tokens;
    private long[] ends = new long[1 << 10];
    private int documents;

    /** @param bytes how large the file will be, about */
    TokenFileWriter(Path target, int vocabularySize, byte[] tokenizer, byte[] inputs, long bytes) throws IOException {
        this.vocabularySize = vocabularySize;
        this.tokenBytes = TokenFile.tokenBytes(vocabularySize);
        file = new NewFile(target, bytes);
        var header = buffer(TokenFile.HEADER_BYTES);
        header.putLong(TokenFile.MAGIC).putInt(TokenFile.VERSION).putInt(tokenBytes).putInt(vocabularySize).putInt(0).put(tokenizer).put(inputs);
        write(header.position(header.capacity()));
    }

    private static ByteBuffer buffer(int bytes) { return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN); }

    private void write(ByteBuffer buffer) throws IOException {
        buffer.flip();
        checksum.update(buffer.duplicate());
        file.write(MemorySegment.ofBuffer(buffer));
    }

    void write(int... tokens) throws IOException {
        var buffer = buffer(tokens.length * tokenBytes);
        for (int token : tokens) {
            assert token >= 0 && token < vocabularySize : token;
            if (tokenBytes == Short.BYTES) buffer.putShort((short) token);
            else buffer.putInt(token);
        }
        write(buffer);
        this.tokens += tokens.length;
    }

    void endDocument() {
        if (documents == ends.length) ends = Arrays.copyOf(ends, 2 * documents);
        ends[documents++] = tokens;
    }

    long tokens() { return tokens; }

    int documents() { return documents; }

    /** Whether tokens came since the last document ended. */
    boolean isOpen() { return tokens > (documents == 0 ? 0 : ends[documents - 1]); }

    void commit() throws IOException {
        write(buffer(TokenFile.padding(tokens * tokenBytes)).position(TokenFile.padding(tokens * tokenBytes)));
        for (int from = 0; from < documents; from += 1 << 16) {
            int to = Math.min(documents, from + (1 << 16));
            var buffer = buffer(Long.BYTES * (to - from));
            for (int i = from; i < to; i++) buffer.putLong(ends[i]);
            write(buffer);
        }
        write(buffer(2 * Long.BYTES).putLong(tokens).putLong(documents));
        file.write(MemorySegment.ofBuffer(buffer(2 * Long.BYTES).putLong(checksum.getValue()).putLong(TokenFile.END_MAGIC).flip()));
        file.commit();
    }

    /** Without {@link #commit} nothing is left. */
    @Override public void close() throws IOException { file.close(); }
}
