package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * {@link RowDots} of nibbles with offsets, w = q scale + offset, without storing what a nibble becomes. Loops over few steps run over addresses and end with !=,
 * here and in {@link Unpack}: C2 splits a loop that it can count in three, and of a handful of steps most then fall outside the fast part. Counted, the 64-element
 * steps of a Q4_K row took 2.7 times as long.
 */
final class NibbleDots {
    private NibbleDots() {}

    static void q4Offset(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++, w += rowBytes) {
            var sum = FloatVector.zero(F);
            long activation = x;
            for (long block = w, end = w + rowBytes; block != end; block += 20, activation += 128) {                   // body: one block of 32
                var d = FloatVector.broadcast(F, half(block));
                var m = FloatVector.broadcast(F, half(block + 2));
                var part0 = FloatVector.zero(F);
                var part1 = part0;
                for (int j = 0; j < 16; j += B.length()) {
                    var bytes = ByteVector.fromMemorySegment(B, MEMORY, block + 4 + j, ORDER);
                    var pairs = (IntVector) bytes.convertShape(ZERO_EXTEND_B2I, I, 0);
                    var low = (FloatVector) pairs.and(15).castShape(F, 0);
                    var high = (FloatVector) pairs.lanewise(LSHR, 4).castShape(F, 0);
                    var x0 = FloatVector.fromMemorySegment(F, MEMORY, activation + 4 * j, ORDER);
                    var x1 = FloatVector.fromMemorySegment(F, MEMORY, activation + 4 * j + 64, ORDER);
                    low = FMA ? low.fma(d, m) : low.mul(d).add(m);
                    high = FMA ? high.fma(d, m) : high.mul(d).add(m);
                    part0 = FMA ? low.fma(x0, part0) : low.mul(x0).add(part0);
                    part1 = FMA ? high.fma(x1, part1) : high.mul(x1).add(part1);
                    if (TWO_PARTS) {
                        pairs = (IntVector) bytes.convertShape(ZERO_EXTEND_B2I, I, 1);
                        low = (FloatVector) pairs.and(15).castShape(F, 0);
                        high = (FloatVector) pairs.lanewise(LSHR, 4).castShape(F, 0);
                        x0 = FloatVector.fromMemorySegment(F, MEMORY, activation + 4 * (j + L), ORDER);
                        x1 = FloatVector.fromMemorySegment(F, MEMORY, activation + 4 * (j + L) + 64, ORDER);
                        low = FMA ? low.fma(d, m) : low.mul(d).add(m);
                        high = FMA ? high.fma(d, m) : high.mul(d).add(m);
                        part0 = FMA ? low.fma(x0, part0) : low.mul(x0).add(part0);
                        part1 = FMA ? high.fma(x1, part1) : high.mul(x1).add(part1);
                    }
                }
                sum = sum.add(part0.add(part1));
            }
            sum.intoMemorySegment(MEMORY, lanes, ORDER);                                                               // reduce
            MEMORY.set(FLOAT, y + 4L * row, Lanes.sum(lanes));
        }
    }

    static void q4k(long y, long w, long rowBytes, int rows, long x, int in, long lanes) {
        for (int row = 0; row < rows; row++, w += rowBytes) {
            FloatVector.zero(F).intoMemorySegment(MEMORY, lanes, ORDER);
            for (int i = 0; i < in; i += UnpackedRows.SLICE) {
                long source = w + i / 256 * 144L;
                int count = Math.min(UnpackedRows.SLICE, in - i);
                Unpack.sixBits(source, 144, count, lanes + UnpackedRows.SCALES, lanes + UnpackedRows.OFFSETS);
                slice(source, count, x + 4L * i, lanes);
            }
            MEMORY.set(FLOAT, y + 4L * row, Lanes.sum(lanes));
        }
    }

    /** lanes += the products of {@code count} elements at {@code block} with x, lane by lane; scales and offsets of every 32 lie in scratch memory. */
    private static void slice(long block, int count, long x, long lanes) {
        long scales = lanes + UnpackedRows.SCALES, offsets = lanes + UnpackedRows.OFFSETS;
        var sum = FloatVector.fromMemorySegment(F, MEMORY, lanes, ORDER);
        for (long last = block + count / 256 * 144; block != last; block += 144) {
            for (long quants = block + 16, end = block + 144; quants != end; quants += 32, x += 256, scales += 8, offsets += 8) {      // body: 64 elements, two scales
                var d0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
                var m0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets));
                var d1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + 4));
                var m1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets + 4));
                var part0 = FloatVector.zero(F);
                var part1 = part0;
                for (int j = 0; j < 32; j += B.length()) {
                    var bytes = ByteVector.fromMemorySegment(B, MEMORY, quants + j, ORDER);
                    var pairs = (IntVector) bytes.convertShape(ZERO_EXTEND_B2I, I, 0);
                    var low = (FloatVector) pairs.and(15).castShape(F, 0);
                    var high = (FloatVector) pairs.lanewise(LSHR, 4).castShape(F, 0);
                    var x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                    var x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j + 128, ORDER);
                    low = FMA ? low.fma(d0, m0) : low.mul(d0).add(m0);
                    high = FMA ? high.fma(d1, m1) : high.mul(d1).add(m1);
                    part0 = FMA ? low.fma(x0, part0) : low.mul(x0).add(part0);
                    part1 = FMA ? high.fma(x1, part1) : high.mul(x1).add(part1);
                    if (TWO_PARTS) {
                        pairs = (IntVector) bytes.convertShape(ZERO_EXTEND_B2I, I, 1);
                        low = (FloatVector) pairs.and(15).castShape(F, 0);
                        high = (FloatVector) pairs.lanewise(LSHR, 4).castShape(F, 0);
                        x0 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                        x1 = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L) + 128, ORDER);
                        low = FMA ? low.fma(d0, m0) : low.mul(d0).add(m0);
                        high = FMA ? high.fma(d1, m1) : high.mul(d1).add(m1);
                        part0 = FMA ? low.fma(x0, part0) : low.mul(x0).add(part0);
                        part1 = FMA ? high.fma(x1, part1) : high.mul(x1).add(part1);
                    }
                }
                sum = sum.add(part0.add(part1));
            }
        }
        sum.intoMemorySegment(MEMORY, lanes, ORDER);
    }
}
