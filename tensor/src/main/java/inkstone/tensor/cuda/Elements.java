package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;

/** Launches of kernels that share out elements as {@code elements.cuh} does: four neighbours a thread. */
final class Elements {
    /** Threads of a block, and columns that a thread owns. */
    private static final int BLOCK = 256, OWN = 4;

    private Elements() {}

    /** Over all elements; the kernel's last argument is their number. */
    static void launch(Kernel kernel, Tensor y) {
        long count = y.shape().elements();
        kernel.with(count).launch(Math.ceilDiv(count, BLOCK * OWN), BLOCK);
    }

    /** Over the rows of y; the kernel's last arguments are their number, their width and the logarithm of the threads that share a row. */
    static void launchRows(Kernel kernel, Tensor y) { launchRows(kernel, y.shape().rows(), y.shape().last()); }

    static void launchRows(Kernel kernel, long rows, int columns) {
        int owners = Math.ceilDiv(columns, OWN), shift = Math.min(Integer.SIZE - Integer.numberOfLeadingZeros(owners - 1), Integer.numberOfTrailingZeros(BLOCK));
        kernel.with(rows).with(columns).with(shift).launch(Math.ceilDiv(rows, BLOCK >> shift), Math.ceilDiv(owners, 1 << shift), 1, BLOCK, 0);
    }
}
