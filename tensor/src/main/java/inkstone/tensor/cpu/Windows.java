package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The places of a window on pictures [n, h, w, channels] at address {@code source}, row after row, and the kh · kw · channels numbers that are seen from each. Place (i, r, c) has its upper
 * left corner at pixel (r · stride + top, c · stride + left) of picture i, which may lie outside; what is outside is 0.
 *
 * @param rows    places below each other
 * @param columns places beside each other
 */
record Windows(long source, int n, int h, int w, int channels, int kh, int kw, int rows, int columns, int stride, int top, int left) {
    int places() { return Math.multiplyExact(n, rows * columns); }
    /** Numbers in a window. */
    int size() { return kh * kw * channels; }

    /** to[m][j] = number k0 + j of the window at {@code place} + m, for {@code count} places, which lie {@code next} bytes apart in {@code to}, and j below {@code k}. */
    void gather(int place, int count, int k0, int k, long to, long next) {
        int c = place % columns, r = place / columns % rows, i = place / columns / rows;
        for (int m = 0; m < count; m++, to += next) {
            gather(i, r * stride + top, c * stride + left, k0, k, to);
            if (++c < columns) continue;
            c = 0;
            if (++r < rows) continue;
            r = 0;
            i++;
        }
    }

    /** panel[m][j] = number k0 + j of the window at {@code place} + m, for {@code count} places and j below {@code k}, at most {@link Panels#ROWS}. Most places of a row are copied as rows of a matrix. */
    void panel(int place, int count, int k0, int k, long panel) {
        int span = kw * channels, inner = Math.clamp(Math.ceilDiv(-left, stride), 0, columns), outer = Math.clamp(Math.floorDiv(w - kw - left, stride) + 1, inner, columns);
        for (int end = place + count, next; place < end; place = next, panel += count * Panels.STEP) {
            int c = place % columns, r = place / columns % rows, i = place / columns / rows;
            next = Math.min(end, place - c + (c < inner ? inner : c < outer ? outer : columns));
            count = next - place;
            if (c < inner || c >= outer) {
                gather(place, count, k0, k, panel, Panels.STEP);
                continue;
            }
            for (int a = k0 / span, from = k0 - a * span, j = 0; j < k; a++, from = 0) {
                int width = Math.min(span - from, k - j), y = r * stride + top + a;
                long to = panel + 4L * j;
                if (y < 0 || y >= h) for (int m = 0; m < count; m++) clear(to + m * Panels.STEP, width);
                else Panels.slice(to, source + 4 * ((((long) i * h + y) * w + c * stride + left) * channels + from), 4L * stride * channels, width, count);
                j += width;
            }
        }
    }

    /** A row of the window is one piece of memory, of which a part on each side may lie outside. */
    private void gather(int i, int row, int column, int k0, int k, long to) {
        int span = kw * channels, low = Math.clamp(-column, 0, kw) * channels, high = Math.clamp(w - column, 0, kw) * channels;
        for (int a = k0 / span, from = k0 - a * span, left = k; left > 0; a++, from = 0) {
            int end = Math.min(span, from + left), first = end, last = end, y = row + a;
            if (y >= 0 && y < h) {
                first = Math.clamp(low, from, end);
                last = Math.clamp(high, first, end);
            }
            clear(to, first - from);
            copy(source + 4 * ((((long) i * h + y) * w + column) * channels + first), to + 4L * (first - from), last - first);
            clear(to + 4L * (last - from), end - last);
            to += 4L * (end - from);
            left -= end - from;
        }
    }

    static void copy(long from, long to, int count) {
        long end = from + 4L * count;
        for (long last = end - 4 * L; from <= last; from += 4 * L, to += 4 * L) FloatVector.fromMemorySegment(F, MEMORY, from, ORDER).intoMemorySegment(MEMORY, to, ORDER);   // body
        for (; from != end; from += 4, to += 4) MEMORY.set(FLOAT, to, MEMORY.get(FLOAT, from));                       // scalar tail
    }

    private static void clear(long to, int count) {
        long end = to + 4L * count;
        for (long last = end - 4 * L; to <= last; to += 4 * L) FloatVector.zero(F).intoMemorySegment(MEMORY, to, ORDER);   // body
        for (; to != end; to += 4) MEMORY.set(FLOAT, to, 0);                                                          // scalar tail
    }
}
