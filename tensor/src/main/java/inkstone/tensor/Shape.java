package inkstone.tensor;

import java.util.Arrays;

/** Row-major dimensions, outermost first. Every dimension is at least 1 except the first, which may be 0 (no rows). */
public final class Shape {
    private final int[] dims;
    private final long elements;

    public Shape(int... dims) {
        if (dims.length == 0) throw new IllegalArgumentException("a shape has at least one dimension");
        this.dims = dims.clone();
        long product = 1;
        for (int i = 0; i < dims.length; i++) {
            if (dims[i] < 0 || dims[i] == 0 && i > 0) throw new IllegalArgumentException("bad shape " + Arrays.toString(dims));
            if (dims[i] > 0 && product > Long.MAX_VALUE / dims[i]) throw new IllegalArgumentException("shape %s has too many elements".formatted(Arrays.toString(dims)));
            product *= dims[i];
        }
        this.elements = product;
    }

    public int rank() { return dims.length; }

    /** Dimension {@code i}; negative counts from the last, so dim(-1) is the length of a row. */
    public int dim(int i) { return dims[i < 0 ? dims.length + i : i]; }

    /** The length of a row. */
    public int last() { return dims[dims.length - 1]; }

    public long elements() { return elements; }

    /** Rows of length {@link #last}. */
    public int rows() { return elements == 0 ? 0 : Math.toIntExact(elements / last()); }

    public int[] toArray() { return dims.clone(); }

    @Override public boolean equals(Object other) { return other instanceof Shape s && Arrays.equals(dims, s.dims); }
    @Override public int hashCode() { return Arrays.hashCode(dims); }
    @Override public String toString() { return Arrays.toString(dims); }
}
