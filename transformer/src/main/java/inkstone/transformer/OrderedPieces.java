package inkstone.transformer;

import inkstone.tensor.checkpoint.TensorData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Makes the pieces of a tensor on several threads and writes them in order, so that what is written does not depend on the number of threads. Memory holds two
 * pieces for each thread. One thread may use it.
 */
final class OrderedPieces implements AutoCloseable {
    /** Makes piece {@code index} in {@code memory}, which has room for the largest, and returns its bytes. Several threads call it, each with memory of its own. */
    interface Maker { MemorySegment make(int index, MemorySegment memory); }

    private final ExecutorService threads;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] memory;

    OrderedPieces(int threadCount) {
        threads = Executors.newFixedThreadPool(threadCount, Thread.ofPlatform().name("pieces-", 0).daemon().factory());
        memory = new MemorySegment[2 * threadCount];
    }

    /** @param largest bytes of the largest piece */
    void write(int count, long largest, Maker maker, TensorData.Output out) throws IOException {
        for (int i = 0; i < memory.length; i++) if (memory[i] == null || memory[i].byteSize() < largest) memory[i] = arena.allocate(largest, 64);
        var begun = new ArrayDeque<Future<MemorySegment>>();
        try {
            int next = 0;
            for (int written = 0; written < count; written++) {
                for (; next < count && next < written + memory.length; next++) {
                    int index = next;
                    begun.add(threads.submit(() -> maker.make(index, memory[index % memory.length])));
                }
                out.write(result(begun.remove()));
            }
        } finally {
            begun.forEach(piece -> piece.cancel(false));
        }
    }

    private static MemorySegment result(Future<MemorySegment> piece) {
        try {
            return piece.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException problem) throw problem;
            if (e.getCause() instanceof Error problem) throw problem;
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while a file was written", e);
        }
    }

    /** Waits for pieces that are still being made. */
    @Override public void close() {
        threads.close();
        arena.close();
    }
}
