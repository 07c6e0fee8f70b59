package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;

/** The largest entries of rows. */
final class CudaLargest {
    private static final int THREADS = 512;
    /* Elements of a thread: so many that a slice shrinks to an eighth or less, so few that what must be sorted fits in shared memory. */
    private static final int FEWEST_EACH = 4, MOST_EACH = 16;

    private final Gpu gpu;
    private final Kernel largest;
    /** What the slices of a pass leave for the next, which cannot be where it reads. */
    private final Gpu.Scratch odd, even;

    CudaLargest(Gpu gpu) {
        this.gpu = gpu;
        largest = gpu.kernel("largest", "largest");
        odd = gpu.scratch();
        even = gpu.scratch();
    }

    void largest(Tensor y, Tensor x) {
        int n = x.shape().dim(0), k = y.shape().last() / 2, count = x.shape().last(), slices;
        long keys = 0;
        for (int pass = 0; ; pass++, count = slices * k) {
            int each = Math.ceilDiv(count, THREADS);
            if (each > MOST_EACH) each = (int) Math.clamp((long) n * count / (2L * THREADS * gpu.multiprocessors), FEWEST_EACH, MOST_EACH);
            slices = Math.ceilDiv(count, THREADS * each);
            int room = Math.max(2, Integer.highestOneBit(2 * k * each - 1));
            long made = slices == 1 ? 0 : (pass % 2 == 0 ? even : odd).address(Math.max(1, (long) n * slices * k * Long.BYTES));
            largest.with(y).with(made).with(pass == 0 ? x : null).with(keys).with(count).with(k).with(each).with(slices).with(room)
                .launch((long) n * slices, 1, 1, THREADS, Long.BYTES * (THREADS + room));
            if (slices == 1) return;
            keys = made;
        }
    }
}
