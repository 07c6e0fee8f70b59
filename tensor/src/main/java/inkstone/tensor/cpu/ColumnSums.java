package inkstone.tensor.cpu;

import inkstone.tensor.Tensor;

/**
 * Sums over rows, as gradients of what all rows share: blocks of rows, whose size depends on the shape alone, are added each to its own partial sums and these in order, so
 * the result is the same for any number of threads.
 */
final class ColumnSums {
    /* Elements worth a block, and how many blocks there are at most: what their partial sums cost stays small beside the rows. */
    private static final int GRAIN = 1 << 15, BLOCKS = 64;
    private static final int COLUMNS = 1 << 10;

    private final Workers workers;
    private final Scratch partials;

    /** @param partials one block, for all partial sums */
    ColumnSums(Workers workers, Scratch partials) {
        this.workers = workers;
        this.partials = partials;
    }

    /** Adds rows {@code first} to {@code end - 1} to the sums, which begin as zeros. */
    interface Block { void add(int worker, int first, int end, long sums); }

    /** The partial sums of an operation. */
    record Partials(Workers workers, long address, int blocks, long bytes) {
        /** destination += sums from number {@code from} on; nothing where there is no destination. */
        void addTo(Tensor destination, int from) {
            if (destination == null) return;
            long to = Lanes.address(destination), sums = address + 4L * from;
            workers.split(Math.toIntExact(destination.shape().elements()), COLUMNS, (worker, first, end) -> {
                for (int block = 0; block < blocks; block++) CpuRows.add(to + 4L * first, to + 4L * first, sums + block * bytes + 4L * first, end - first);
            });
        }
    }

    /** @param width of a row, and {@code count} of its sums */
    Partials of(int rows, int width, int count, Block block) {
        int size = Math.max(Math.max(1, GRAIN / width), Math.ceilDiv(rows, BLOCKS)), blocks = Math.ceilDiv(rows, size);
        long bytes = Scratch.lines(count);
        partials.reserve(blocks * bytes);
        long address = partials.of(0);
        workers.run(blocks, (worker, i) -> {
            Lanes.MEMORY.asSlice(address + i * bytes, bytes).fill((byte) 0);
            block.add(worker, i * size, Math.min(rows, (i + 1) * size), address + i * bytes);
        });
        return new Partials(workers, address, blocks, bytes);
    }
}
