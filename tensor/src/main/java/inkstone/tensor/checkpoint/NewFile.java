package inkstone.tensor.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file that appears whole or not at all: written under another name beside its target, forced to the disk, then renamed over it. Closed without
 * {@link #commit}, nothing is left. A reader that has the old file mapped keeps the old bytes. The JVM's end (Ctrl-C) leaves nothing
 * either.
 */
public final class NewFile implements AutoCloseable {
    /* Bytes go through one buffer: a channel copies any other heap array into a native one of the same size, which it keeps. */
    private static final int BUFFER = 1 << 20;

    private final Path target, temporary;
    private final FileChannel channel;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
    private final MemorySegment bufferMemory = MemorySegment.ofBuffer(buffer);
    private final Thread atExit;
    private long written;

    /** @param bytes how large it will be, about */
    public NewFile(Path target, long bytes) throws IOException {
        this.target = target.toAbsolutePath();
        requireRoom(bytes);
        this.temporary = this.target.resolveSibling(".%s.%016x.part".formatted(target.getFileName(), ThreadLocalRandom.current().nextLong()));
        this.channel = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        this.atExit = new Thread(() -> temporary.toFile().delete());
        Runtime.getRuntime().addShutdownHook(atExit);
    }

    /** Removes what processes that were killed left half written of this file, which nobody may be writing now. */
    public static void sweep(Path target) throws IOException {
        try (var left = Files.newDirectoryStream(target.toAbsolutePath().getParent(), file -> file.getFileName().toString().matches("\\.\\Q%s\\E\\.[0-9a-f]{16}\\.part".formatted(target.getFileName())))) {
            for (var file : left) Files.delete(file);
        }
    }

    /** Some network file systems say 0 where they do not know. */
    private void requireRoom(long bytes) throws IOException {
        long free = Files.getFileStore(target.getParent()).getUsableSpace();
        if (free == 0 || bytes <= free) return;
        throw new IOException("%s takes %,d MB, its disk has %,d MB free; free some or write elsewhere".formatted(target, bytes / 1_000_000, free / 1_000_000));
    }

    public void write(MemorySegment bytes) throws IOException {
        for (long at = 0; at < bytes.byteSize();) {
            if (!buffer.hasRemaining()) flush();
            int piece = (int) Math.min(buffer.remaining(), bytes.byteSize() - at);
            MemorySegment.copy(bytes, at, bufferMemory, buffer.position(), piece);
            buffer.position(buffer.position() + piece);
            at += piece;
        }
        written += bytes.byteSize();
    }

    /** Appends one tensor; throws where its source gives more or fewer bytes than its shape takes. */
    void write(TensorInfo info, TensorData data) throws IOException {
        long expected = info.dtype().bytes(info.shape().elements()), start = written;
        data.writeTo(bytes -> {
            requireSize(info, expected, written - start + bytes.byteSize() <= expected, written - start + bytes.byteSize());
            write(bytes);
        });
        requireSize(info, expected, written - start == expected, written - start);
    }

    private static void requireSize(TensorInfo info, long expected, boolean fits, long found) {
        if (fits) return;
        throw new IllegalArgumentException("tensor %s is %s %s of %d bytes, its source gave %d"
            .formatted(info.name(), info.dtype(), info.shape(), expected, found));
    }

    /** Zeros up to a multiple of {@code alignment} bytes from the file's start. */
    public void pad(int alignment) throws IOException { write(MemorySegment.ofArray(new byte[(int) (-written & alignment - 1)])); }

    private void flush() throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) channel.write(buffer);
        buffer.clear();
    }

    /** The file is complete: puts it in place of the target. */
    public void commit() throws IOException {
        flush();
        channel.force(true);
        channel.close();
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    }

    @Override public void close() throws IOException {
        try {
            channel.close();
        } finally {
            Files.deleteIfExists(temporary);
            forgetExit();
        }
    }

    private void forgetExit() {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            return;                                                    // the JVM is ending, and the hook has run or will
        }
    }
}
