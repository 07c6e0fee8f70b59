package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import java.util.ArrayList;
import java.util.Comparator;

/**
 * Pictures in another size, and the way back. Every resampling is a table of shares along each direction, the way back the same tables turned around: rows of the source are mixed
 * first, whole, and then the pixels of that row. Parallel over rows of the result.
 */
final class CpuResize {
    /* Elements worth a thread's waking. */
    private static final int GRAIN = 1 << 14;

    private final Workers workers;
    private final Scratch scratch;

    CpuResize(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void resize(Tensor y, Tensor x, Resampling resampling) { run(y, x, resampling, false); }

    void gradient(Tensor dx, Tensor dy, Resampling resampling) { if (dx != null) run(dx, dy, resampling, true); }

    /** Of each place of the result, from begin[i] to begin[i + 1] - 1: where it takes a share, and which. */
    private record Shares(int[] begin, int[] at, float[] share) {
        private record Share(int to, int from, double share) {}

        /** Of {@code to} places in {@code from}, or, {@code back}, of those in these. */
        static Shares of(int from, int to, Resampling resampling, boolean back) {
            var all = new ArrayList<Share>();
            for (int i = 0; i < to; i++) {
                switch (resampling) {
                    case NEAREST -> all.add(new Share(i, (int) ((long) i * from / to), 1));
                    case BILINEAR -> {
                        double at = Math.clamp((i + 0.5) * from / to - 0.5, 0, from - 1);
                        int low = (int) at;
                        all.add(new Share(i, low, 1 - (at - low)));
                        if (at > low) all.add(new Share(i, low + 1, at - low));
                    }
                    case AREA -> {
                        double start = (double) i * from / to, end = (double) (i + 1) * from / to;
                        for (int j = (int) start; j < Math.min(from, Math.ceil(end)); j++) all.add(new Share(i, j, (Math.min(end, j + 1) - Math.max(start, j)) / (end - start)));
                    }
                }
            }
            if (back) {
                all.replaceAll(s -> new Share(s.from, s.to, s.share));
                all.sort(Comparator.comparingInt(Share::to));
            }
            var shares = new Shares(new int[(back ? from : to) + 1], new int[all.size()], new float[all.size()]);
            for (int i = 0; i < all.size(); i++) {
                shares.begin[all.get(i).to + 1] = i + 1;
                shares.at[i] = all.get(i).from;
                shares.share[i] = (float) all.get(i).share;
            }
            for (int i = 1; i < shares.begin.length; i++) shares.begin[i] = Math.max(shares.begin[i], shares.begin[i - 1]);
            return shares;
        }

        int count(int i) { return begin[i + 1] - begin[i]; }
    }

    /** @param back whether x and y are the gradients of the resized picture and of the one it was made from, which is added to */
    private void run(Tensor y, Tensor x, Resampling resampling, boolean back) {
        Tensor before = back ? y : x, after = back ? x : y;
        int height = x.shape().dim(1), width = x.shape().dim(2), channels = x.shape().last(), rows = y.shape().dim(1), columns = y.shape().dim(2);
        var down = Shares.of(before.shape().dim(1), after.shape().dim(1), resampling, back);
        var across = Shares.of(before.shape().dim(2), after.shape().dim(2), resampling, back);
        long from = address(x), to = address(y), pixel = 4L * channels;
        scratch.reserve(Scratch.lines((long) width * channels));
        workers.split(y.shape().dim(0) * rows, Math.max(1, GRAIN / (columns * channels)), (worker, first, end) -> {
            for (int i = first; i < end; i++) {
                if (down.count(i % rows) == 0) continue;
                long mixed = mixed(from + (long) (i / rows) * height * width * pixel, down, i % rows, width * channels, scratch.of(worker));
                for (int c = 0; c < columns; c++) pixel(to + ((long) i * columns + c) * pixel, mixed, across, c, channels, back);
            }
        });
    }

    /** Where the mixture of rows of one picture lies: the row itself where it is one. */
    private static long mixed(long picture, Shares down, int row, int floats, long scratch) {
        int first = down.begin[row];
        long source = picture + 4L * down.at[first] * floats;
        if (down.count(row) == 1 && down.share[first] == 1) return source;
        CpuActivations.scale(scratch, source, down.share[first], floats);
        for (int j = first + 1; j < down.begin[row + 1]; j++) RowTiles.addScaled(scratch, picture + 4L * down.at[j] * floats, down.share[j], floats);
        return scratch;
    }

    private static void pixel(long y, long row, Shares across, int column, int channels, boolean add) {
        for (int j = across.begin[column]; j < across.begin[column + 1]; j++) {
            long source = row + 4L * across.at[j] * channels;
            if (add || j > across.begin[column]) RowTiles.addScaled(y, source, across.share[j], channels); else CpuActivations.scale(y, source, across.share[j], channels);
        }
    }
}
