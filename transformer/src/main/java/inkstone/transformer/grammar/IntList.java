package inkstone.transformer.grammar;

import java.util.Arrays;

/** A list of ints that grows. One thread. */
final class IntList {
    private static final int[] NONE = {};

    int[] values = NONE;
    int size;

    void add(int... more) {
        if (size + more.length > values.length) values = Arrays.copyOf(values, Math.max(2 * values.length, size + more.length));
        System.arraycopy(more, 0, values, size, more.length);
        size += more.length;
    }

    int[] toArray() { return size == 0 ? NONE : Arrays.copyOf(values, size); }
}
