package inkstone.tensor.cpu;

/**
 * Products of windows and panels: convolutions as matrix products whose left operand, a row for each place of a window, is never in memory as a whole (Chellapilla et al. 2006, "High performance
 * convolutional neural networks for document processing"). The windows of six places are gathered into a buffer that stays in the first-level cache and multiplied with a few panels, which
 * stay in the second; what is gathered serves as many products as there are outputs in those panels, so it costs a few hundredths of them.
 */
final class WindowProduct {
    /** Numbers of a window that are multiplied at a time, at most: with them, panels of 128 outputs take half of a usual second-level cache on 512-bit vectors. */
    static final int SLICE = 1024;
    /** So that the six windows of a buffer do not lie in the same sets of the cache where a slice is a power of two long. */
    private static final long APART = 64;

    private final Workers workers;
    private final Scratch scratch;

    WindowProduct(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    /** Slices of equal lengths, multiples of {@code block}, for windows of {@code size} numbers. */
    static int slice(int size, int block) {
        int slices = Math.ceilDiv(size, SLICE);
        return Math.ceilDiv(Math.ceilDiv(size, slices), block) * block;
    }

    /** Where the sums of each place lie: distances in bytes between pictures, rows and pixels. */
    record Pixels(long base, long picture, long row, long pixel) {
        static Pixels dense(long base, int rows, int columns, int channels) { return new Pixels(base, 4L * rows * columns * channels, 4L * columns * channels, 4L * channels); }

        long at(Windows windows, int place) {
            int c = place % windows.columns(), r = place / windows.columns();
            return base + r / windows.rows() * picture + r % windows.rows() * row + c * pixel;
        }

        /** Whether all places lie the same distance apart. */
        boolean even(Windows windows) { return row == windows.columns() * pixel && picture == windows.rows() * row; }
    }

    /**
     * c[place][r] = start[r] + sum over j below k of window(place)[k0 + j] · panels[r / ROWS][j][r mod ROWS], for r below {@code width}.
     *
     * @param start      address of {@code width} floats, or 0: c as it is
     * @param panelBytes from one panel to the next
     */
    void add(Windows windows, Pixels c, long start, long panels, long panelBytes, int k0, int k, int width) {
        var tasks = CpuLinearBackward.Tasks.of(windows.places(), width, k, workers.threads());
        long next = 4L * k + APART, edge = PanelProduct.scratchBytes(0), columns = Panels.COLUMNS * next, sums = 4L * tasks.width(0);
        boolean even = c.even(windows);
        scratch.reserve(edge + columns + Panels.COLUMNS * sums);
        workers.run(tasks.groups() * tasks.chunks(), (worker, task) -> {
            int first = task % tasks.chunks() * tasks.chunk(), group = task / tasks.chunks() * tasks.group(), r = group * Panels.ROWS, count = tasks.width(r);
            long mine = scratch.of(worker), gathered = mine + edge, apart = gathered + columns, near = panels + group * panelBytes, begin = start == 0 ? 0 : start + 4L * r;
            var x = new PanelProduct.Columns(gathered, 0, next, 4, true);
            for (int place = first, end = first + tasks.rows(first); place < end; place += Panels.COLUMNS) {
                int places = Math.min(Panels.COLUMNS, end - place);
                windows.gather(place, places, k0, k, gathered, next);
                if (even) {
                    long at = c.at(windows, place) + 4L * r;
                    PanelProduct.add(at, c.pixel, start == 0 ? at : begin, start == 0 ? c.pixel : 0, near, panelBytes, count, x, places, k, mine);
                } else {
                    if (start == 0) for (int i = 0; i < places; i++) Windows.copy(c.at(windows, place + i) + 4L * r, apart + i * sums, count);
                    PanelProduct.add(apart, sums, start == 0 ? apart : begin, start == 0 ? sums : 0, near, panelBytes, count, x, places, k, mine);
                    for (int i = 0; i < places; i++) Windows.copy(apart + i * sums, c.at(windows, place + i) + 4L * r, count);
                }
            }
        });
    }
}
