package inkstone.tensor.cpu;

import inkstone.tensor.Tensor;

/**
 * Sums over rows, as gradients of what all rows, or those of a group, share: blocks of rows, whose size depends on the shape alone, are added each to its own partial sums and
 * these in order, so the result is the same for any number of threads.
 */
final class ColumnSums {
    /* Elements worth a block, and how many blocks of a group there are at most: what their partial sums cost stays small beside the rows. */
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

    /** The partial sums of an operation: [groups][blocks]. */
    record Partials(Workers workers, long address, int groups, int blocks, long bytes) {
        /** destination += sums from number {@code from} on, a part of it for each group; nothing where there is no destination. */
        void addTo(Tensor destination, int from) {
            if (destination == null || groups == 0) return;
            int width = Math.toIntExact(destination.shape().elements() / groups), parts = Math.ceilDiv(width, COLUMNS);
            long base = Lanes.address(destination);
            workers.run(groups * parts, (worker, i) -> {
                int group = i / parts, first = i % parts * COLUMNS, count = Math.min(COLUMNS, width - first);
                long to = base + 4 * ((long) group * width + first), sums = address + group * blocks * bytes + 4L * (from + first);
                for (int block = 0; block < blocks; block++) CpuRows.add(to, to, sums + block * bytes, count);
            });
        }
    }

    /** @param width of a row, and {@code count} of its sums */
    Partials of(int rows, int width, int count, Block block) { return of(1, rows, width, count, block); }

    /** Of {@code groups} groups of {@code rows} rows, one after the other. */
    Partials of(int groups, int rows, int width, int count, Block block) {
        int size = Math.max(Math.max(1, GRAIN / width), Math.ceilDiv(rows, BLOCKS)), blocks = Math.ceilDiv(rows, size);
        long bytes = Scratch.lines(count);
        partials.reserve(groups * blocks * bytes);
        long address = partials.of(0);
        workers.run(groups * blocks, (worker, i) -> {
            int first = i % blocks * size, start = i / blocks * rows;
            Lanes.MEMORY.asSlice(address + i * bytes, bytes).fill((byte) 0);
            block.add(worker, start + first, start + Math.min(rows, first + size), address + i * bytes);
        });
        return new Partials(workers, address, groups, blocks, bytes);
    }
}
