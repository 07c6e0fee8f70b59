package inkstone.tensor.cpu;

import java.lang.foreign.Arena;

/**
 * One block of native memory for each worker, grown to what the largest kernel so far asked for, and room for the lanes of a few vectors.
 * Contents do not survive from one kernel to the next.
 */
final class Scratch implements AutoCloseable {
    /* Page alignment: vectors never cross a cache line, and no two workers share one. */
    private static final long ALIGNMENT = 4096;

    /** Vectors whose lanes a kernel may store to add them up; what {@link UnpackedRows} and {@link SuperBlockDots} need follows them. */
    static final int VECTORS = 8;
    private static final long LANES = Math.ceilDiv(Math.max(UnpackedRows.SCRATCH, SuperBlockDots.SCRATCH), 4096) * 4096L;

    private final long[] addresses;
    private Arena arena = Arena.ofShared();
    private long bytes;

    Scratch(int workers) {
        addresses = new long[workers];
        reserve(1);
    }

    /** Makes every worker's block at least this large; called before tasks start. */
    void reserve(long bytes) {
        if (bytes <= this.bytes) return;
        arena.close();
        arena = Arena.ofShared();
        for (int i = 0; i < addresses.length; i++) addresses[i] = arena.allocate(LANES + bytes, ALIGNMENT).address();
        this.bytes = bytes;
    }

    long of(int worker) { return addresses[worker] + LANES; }

    long lanes(int worker) { return addresses[worker]; }

    /** {@code floats} rounded up to whole cache lines, in bytes: what one part of a block takes. */
    static long lines(long floats) { return (4 * floats + 63) & -64; }

    @Override public void close() { arena.close(); }
}
