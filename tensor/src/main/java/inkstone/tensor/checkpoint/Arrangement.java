package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * A tensor that models ask for, made of tensors that a file holds otherwise: parts of them, their axes in another order, one below the other. Nothing is read here;
 * elements keep their format, except where {@code change} computes with them.
 *
 * @param parts one below the other: alike but for their first axis
 * @param shape of the whole
 * @param change what becomes of each number
 */
public record Arrangement(List<Part> parts, Shape shape, Change change) {
    /** What a file keeps of a number. */
    public enum Change {
        NONE,
        /** One less: the norms of Gemma, which multiply by 1 + weight. */
        PLUS_ONE,
        /** The logarithm of its negative: the decays of Mamba (A_log). */
        NEGATIVE_EXP;

        float apply(float stored) {
            return switch (this) {
                case NONE -> stored;
                case PLUS_ONE -> stored + 1;
                case NEGATIVE_EXP -> (float) -Math.exp(stored);
            };
        }
    }

    /**
     * Elements of one tensor of the file, seen as an array of {@code dims}: element (i, j, ..) is number offset + i · strides[0] + j · strides[1] + ... of it.
     *
     * @param elements that the tensor must have
     */
    record Part(String source, long elements, long offset, int[] dims, long[] strides) {
        long count() { return product(dims); }

        /** Seen as fewer axes where neighbours lie as one would, so that copies are long. */
        Part flat() {
            int[] flat = new int[dims.length];
            var flatStrides = new long[dims.length];
            int axes = 0;
            for (int i = 0; i < dims.length; i++) {
                boolean continues = axes > 0 && flatStrides[axes - 1] == dims[i] * strides[i] && (long) flat[axes - 1] * dims[i] <= Integer.MAX_VALUE;
                if (continues) {
                    flat[axes - 1] *= dims[i];
                    flatStrides[axes - 1] = strides[i];
                } else if (dims[i] > 1 || i == dims.length - 1) {
                    flat[axes] = dims[i];
                    flatStrides[axes++] = strides[i];
                }
            }
            return new Part(source, elements, offset, Arrays.copyOf(flat, axes), Arrays.copyOf(flatStrides, axes));
        }

        /** The same counted in blocks of {@code size} elements of the last axis. */
        Part inBlocks(int size) {
            if (size == 1) return this;
            int last = dims.length - 1;
            boolean whole = strides[last] == 1 && dims[last] % size == 0 && offset % size == 0;
            for (int i = 0; i < last; i++) whole &= strides[i] % size == 0;
            if (!whole) throw new ModelException("tensor %s cannot be taken apart within its blocks of %d".formatted(Diagnosis.shown(source), size));
            int[] blocks = dims.clone();
            var blockStrides = strides.clone();
            blocks[last] /= size;
            for (int i = 0; i < last; i++) blockStrides[i] /= size;
            return new Part(source, elements / size, offset / size, blocks, blockStrides);
        }
    }

    private static long product(int[] dims) {
        long product = 1;
        for (int dim : dims) product = Math.multiplyExact(product, dim);
        return product;
    }

    /** A tensor of the file, whose elements are seen as an array of these dimensions. */
    public static Arrangement of(String source, int... dims) {
        var strides = new long[dims.length];
        long stride = 1;
        for (int i = dims.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride = Math.multiplyExact(stride, dims[i]);
        }
        return new Arrangement(List.of(new Part(source, stride, 0, dims.clone(), strides)), new Shape(dims), Change.NONE);
    }

    /** {@code count} arrangements of the same shape -> [count, ..]. */
    public static Arrangement stacked(int count, IntFunction<Arrangement> each) {
        var all = new Arrangement[count];
        for (int i = 0; i < count; i++) all[i] = each.apply(i);
        int[] dims = all[0].shape.toArray(), stacked = new int[dims.length + 1];
        System.arraycopy(dims, 0, stacked, 1, dims.length);
        stacked[0] = count;
        return joined(all).as(stacked);
    }

    /** One below the other: [a, ..], [b, ..] -> [a + b, ..]. */
    public static Arrangement joined(Arrangement... above) {
        var parts = new ArrayList<Part>();
        int[] dims = above[0].shape.toArray();
        dims[0] = 0;
        for (var one : above) {
            int[] own = one.shape.toArray();
            if (own.length != dims.length || !Arrays.equals(own, 1, own.length, dims, 1, dims.length)) {
                throw new IllegalArgumentException("%s does not fit below %s".formatted(one.shape, above[0].shape));
            }
            dims[0] += own[0];
            parts.addAll(one.parts);
        }
        return new Arrangement(List.copyOf(parts), new Shape(dims), above[0].change);
    }

    /** Axis i is what was axis order[i]. */
    public Arrangement axes(int... order) {
        var part = only();
        int[] dims = new int[order.length];
        var strides = new long[order.length];
        for (int i = 0; i < order.length; i++) {
            dims[i] = part.dims[order[i]];
            strides[i] = part.strides[order[i]];
        }
        return seen(part, part.offset, dims, strides);
    }

    /** Indices {@code from} to {@code to - 1} of an axis. */
    public Arrangement slice(int axis, int from, int to) {
        var part = only();
        int[] dims = part.dims.clone();
        dims[axis] = to - from;
        return seen(part, part.offset + from * part.strides[axis], dims, part.strides);
    }

    /** What stands at {@code index} of an axis, which is gone. */
    public Arrangement at(int axis, int index) {
        var part = slice(axis, index, index + 1).only();
        int[] dims = new int[part.dims.length - 1];
        var strides = new long[dims.length];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = part.dims[i < axis ? i : i + 1];
            strides[i] = part.strides[i < axis ? i : i + 1];
        }
        return seen(part, part.offset, dims, strides);
    }

    /** The same elements in the same order under another shape. */
    public Arrangement as(int... dims) {
        var shape = new Shape(dims);
        if (shape.elements() != this.shape.elements()) throw new IllegalArgumentException("%s has not the elements of %s".formatted(this.shape, shape));
        return new Arrangement(parts, shape, change);
    }

    public Arrangement changed(Change change) { return new Arrangement(parts, shape, change); }

    private Part only() {
        if (parts.size() != 1 || !Arrays.equals(parts.getFirst().dims, shape.toArray())) throw new IllegalArgumentException("only a tensor as it was first seen can be seen in another way");
        return parts.getFirst();
    }

    private Arrangement seen(Part part, long offset, int[] dims, long[] strides) {
        return new Arrangement(List.of(new Part(part.source, part.elements, offset, dims, strides)), new Shape(dims), change);
    }
}
