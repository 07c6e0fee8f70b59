package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.MEMORY;

import java.lang.foreign.MemorySegment;

/** Whole matrices from the tiles of {@link Panels}, edges included. */
final class PanelProduct {
    private PanelProduct() {}

    /**
     * The operand that is broadcast, {@link Panels#COLUMNS} columns at a time: k of column m lies at base + m / COLUMNS · group + m mod COLUMNS · column + k · step.
     *
     * @param padded whether the last group has all of its columns, so that a tile may read them
     */
    record Columns(long base, long group, long column, long step, boolean padded) {
        /** Column m is row m of a matrix, read where it lies. */
        static Columns rows(long base, long stride) { return new Columns(base, Panels.COLUMNS * stride, stride, 4, false); }

        /** From column {@code m} on, the first of a group. */
        Columns from(int m) { return new Columns(base + m / Panels.COLUMNS * group, group, column, step, padded); }

        /** {@code k} times the same k of all columns of a group: [group][k][COLUMNS], zeros where there are no more columns. */
        static Columns interleaved(long base, int k) { return new Columns(base, 4L * Panels.COLUMNS * k, 4, 4L * Panels.COLUMNS, true); }
    }

    /** Bytes of scratch for {@link #add} with up to {@code k}. */
    static long scratchBytes(int k) { return Panels.COLUMNS * Panels.STEP + 4L * Panels.COLUMNS * k; }

    /**
     * c[m][r] = start[m][r] + sum over k of x[m][k] · panels[r / ROWS][k][r mod ROWS] for {@code columns} rows m of c and r below {@code width}; start may be c.
     * Six columns at a time over all panels: 24 KB of x and one panel stay near while the tile runs. An element's sum has one order wherever it lies.
     *
     * @param panelBytes from one panel to the next
     */
    static void add(long c, long cStride, long start, long startStride, long panels, long panelBytes, int width, Columns x, int columns, int k, long scratch) {
        for (int m = 0; m < columns; m += Panels.COLUMNS, c += Panels.COLUMNS * cStride, start += Panels.COLUMNS * startStride) {
            int count = Math.min(Panels.COLUMNS, columns - m);
            long from = x.base + m / Panels.COLUMNS * x.group, column = x.column;
            if (count < Panels.COLUMNS && !x.padded) {
                // the last columns lie in scratch, where a whole tile may read
                long copy = scratch + Panels.COLUMNS * Panels.STEP;
                for (int i = 0; i < count; i++) MemorySegment.copy(MEMORY, from + i * column, MEMORY, copy + 4L * i * k, 4L * k);
                from = copy;
                column = 4L * k;
            }
            long panel = panels;
            for (int r = 0; r < width; r += Panels.ROWS, panel += panelBytes) {
                int rows = Math.min(Panels.ROWS, width - r);
                long to = c + 4L * r, begin = start + 4L * r;
                if (rows == Panels.ROWS && count == Panels.COLUMNS) {
                    Panels.tile(to, cStride, begin, startStride, panel, from, column, x.step, k);
                } else {
                    for (int i = 0; i < count; i++) MemorySegment.copy(MEMORY, begin + i * startStride, MEMORY, scratch + i * Panels.STEP, 4L * rows);
                    Panels.tile(scratch, Panels.STEP, scratch, Panels.STEP, panel, from, column, x.step, k);
                    for (int i = 0; i < count; i++) MemorySegment.copy(MEMORY, scratch + i * Panels.STEP, MEMORY, to + i * cStride, 4L * rows);
                }
            }
        }
    }
}
