package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;

import inkstone.tensor.DType;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/**
 * Rows of the formats that {@link Unpack} knows: {@link #SLICE} elements at a time are unpacked into the caller's scratch memory, which stays in the first-level
 * cache, and from there become floats, multiplied or stored.
 *
 * @param fine whether a scale serves 16 elements, otherwise 32
 * @param offsets whether the format has offsets; where it does not, adding -0 changes nothing
 */
record UnpackedRows(Unpack unpack, DType dtype, boolean fine, boolean offsets) implements RowDots, Expand {
    static final int SLICE = 2048;
    /** Where scratch memory holds the bytes, scales and offsets of a slice, after the lanes of vectors. */
    static final int BYTES = 64 * Scratch.VECTORS, SCALES = BYTES + SLICE, OFFSETS = SCALES + 4 * SLICE / 16;
    /** Bytes of scratch memory in use. */
    static final int SCRATCH = OFFSETS + 4 * SLICE / 16;

    static UnpackedRows of(DType dtype) {
        boolean fine = switch (dtype) {
            case Q2_K, Q3_K, Q6_K -> true;
            default -> false;
        };
        boolean offsets = switch (dtype) {
            case Q4_1, Q5_1, Q2_K, Q4_K, Q5_K -> true;
            default -> false;
        };
        return new UnpackedRows(dtype == DType.Q8_0 ? null : Unpack.of(dtype), dtype, fine, offsets);
    }

    @Override public void rows(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        long sliceBytes = dtype.bytes(SLICE);
        for (int row = 0; row < rows; row++, w += rowBytes) {
            FloatVector.zero(F).intoMemorySegment(MEMORY, lanes, ORDER);
            long source = w;
            for (int i = 0; i < in; i += SLICE, source += sliceBytes) {
                int count = Math.min(SLICE, in - i);
                unpack.blocks(source, count, lanes + BYTES, lanes + SCALES, lanes + OFFSETS);
                dots(lanes + BYTES, lanes + SCALES, lanes + OFFSETS, count, x + 4L * i, lanes);
            }
            MEMORY.set(FLOAT, y + 4L * row, Lanes.sum(lanes));
        }
    }

    private void dots(long q, long scale, long offset, int count, long x, long lanes) {
        if (fine && offsets) UnpackedDots.groupsOf16WithOffsets(q, scale, offset, count, x, lanes);
        else if (fine) UnpackedDots.groupsOf16(q, scale, count, x, lanes);
        else if (offsets) UnpackedDots.groupsOf32WithOffsets(q, scale, offset, count, x, lanes);
        else UnpackedDots.groupsOf32(q, scale, count, x, lanes);
    }

    @Override public void row(long source, long floats, int count, long lanes) {
        if (!offsets) noOffsets(lanes + OFFSETS);
        for (int i = 0; i < count; i += SLICE, source += dtype.bytes(SLICE)) {
            int slice = Math.min(SLICE, count - i);
            unpack.blocks(source, slice, lanes + BYTES, lanes + SCALES, lanes + OFFSETS);
            floats(lanes, slice, group(), floats + 4L * i);
        }
    }

    private static void noOffsets(long offsets) { for (int i = 0; i < 4 * SLICE / 16; i += 4) MEMORY.set(FLOAT, offsets + i, -0f); }

    /** The elements of an unpacked slice, {@code group} to a scale. */
    private static void floats(long lanes, int count, int group, long floats) {
        long q = lanes + BYTES, scales = lanes + SCALES, offsets = lanes + OFFSETS;
        for (long end = q + count; q != end; scales += 4, offsets += 4) {
            var d = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
            var m = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets));
            for (long next = q + group; q != next; q += 16, floats += 64) {                                             // body
                for (int j = 0; j < 16; j += B.length()) {
                    var bytes = ByteVector.fromMemorySegment(B, MEMORY, q + j, ORDER);
                    var w = (FloatVector) bytes.castShape(F, 0);
                    (FMA ? w.fma(d, m) : w.mul(d).add(m)).intoMemorySegment(MEMORY, floats + 4 * j, ORDER);
                    if (TWO_PARTS) {
                        w = (FloatVector) bytes.castShape(F, 1);
                        (FMA ? w.fma(d, m) : w.mul(d).add(m)).intoMemorySegment(MEMORY, floats + 4 * (j + L), ORDER);
                    }
                }
            }
        }
    }

    /** Bytes from a row's scales to its offsets. */
    static long offsets(int in) { return Scratch.lines(in / 16); }

    /** Bytes that {@link #unpack} fills of a row: scales, offsets and, but for Q8_0, elements. */
    static long bytes(int in) { return 2 * offsets(in) + in; }

    /** Offsets for every row that {@link #unpack} puts here if the format has none: -0. */
    void prepare(int in, long scales) {
        if (!offsets) for (int i = 0; i < in / group(); i++) MEMORY.set(FLOAT, scales + offsets(in) + 4L * i, -0f);
    }

    /** A whole row: scales, offsets if the format has them, and elements; those of Q8_0 are bytes where they are. */
    void unpack(long source, int in, long scales) {
        if (dtype == DType.Q8_0) for (long end = source + in / 32 * 34; source != end; source += 34, scales += 4) MEMORY.set(FLOAT, scales, half(source));
        else unpack.blocks(source, in, scales + 2 * offsets(in), scales, scales + offsets(in));
    }

    /** Elements that share a scale. */
    int group() { return fine ? 16 : 32; }
}
