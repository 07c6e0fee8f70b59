package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/** Two unpacked rows ({@link UnpackedRows#unpack}) with up to four activations: as bytes both stay in the first-level cache, as floats they would not. */
final class UnpackedTile {
    static final int ROWS = 2, COLUMNS = 4;

    private UnpackedTile() {}

    /**
     * y[c][r] = w[r] · x[c], for {@code rows} rows and columns of x and y {@code xStride} and {@code yStride} bytes apart. Fewer columns repeat the last one, so that a result does not
     * depend on its neighbours.
     *
     * @param q       the first row's elements, in blocks of 32 that begin {@code block} bytes apart; those of the second lie {@code far} bytes further
     * @param scales  the first row's scales and, {@link UnpackedRows#offsets} bytes further, offsets; those of the second lie {@code scalesFar} bytes further
     * @param group   elements that share a scale, 16 or 32
     */
    static void dots(long y, long yStride, long q, int block, long far, int rows, long scales, long scalesFar, int group, long x, long xStride, int columns, int in, long lanes) {
        long offsets = scales + UnpackedRows.offsets(in), step = group == 16 ? 4 : 0;
        long xb = Math.min(1, columns - 1) * xStride, xc = Math.min(2, columns - 1) * xStride, xd = Math.min(3, columns - 1) * xStride;
        FloatVector a0 = FloatVector.zero(F), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        for (long end = q + (long) in / 32 * block; q != end; q += block - 32, scales += 4, offsets += 4) {             // body: 32 elements
            for (long next = q + 32, second = 0; q != next; q += 16, x += 64, second = step) {
                if (second != 0) {
                    scales += second;
                    offsets += second;
                }
                var scale0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales));
                var scale1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, scales + scalesFar));
                var offset0 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets));
                var offset1 = FloatVector.broadcast(F, MEMORY.get(FLOAT, offsets + scalesFar));
                for (int j = 0; j < 16; j += B.length()) {
                    var bytes0 = ByteVector.fromMemorySegment(B, MEMORY, q + j, ORDER);
                    var bytes1 = ByteVector.fromMemorySegment(B, MEMORY, q + far + j, ORDER);
                    var w0 = (FloatVector) bytes0.castShape(F, 0);
                    var w1 = (FloatVector) bytes1.castShape(F, 0);
                    w0 = FMA ? w0.fma(scale0, offset0) : w0.mul(scale0).add(offset0);
                    w1 = FMA ? w1.fma(scale1, offset1) : w1.mul(scale1).add(offset1);
                    var v = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * j, ORDER);
                    a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
                    a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + xb + 4 * j, ORDER);
                    b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
                    b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + xc + 4 * j, ORDER);
                    c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
                    c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
                    v = FloatVector.fromMemorySegment(F, MEMORY, x + xd + 4 * j, ORDER);
                    d0 = FMA ? w0.fma(v, d0) : w0.mul(v).add(d0);
                    d1 = FMA ? w1.fma(v, d1) : w1.mul(v).add(d1);
                    if (TWO_PARTS) {
                        w0 = (FloatVector) bytes0.castShape(F, 1);
                        w1 = (FloatVector) bytes1.castShape(F, 1);
                        w0 = FMA ? w0.fma(scale0, offset0) : w0.mul(scale0).add(offset0);
                        w1 = FMA ? w1.fma(scale1, offset1) : w1.mul(scale1).add(offset1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + 4 * (j + L), ORDER);
                        a0 = FMA ? w0.fma(v, a0) : w0.mul(v).add(a0);
                        a1 = FMA ? w1.fma(v, a1) : w1.mul(v).add(a1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + xb + 4 * (j + L), ORDER);
                        b0 = FMA ? w0.fma(v, b0) : w0.mul(v).add(b0);
                        b1 = FMA ? w1.fma(v, b1) : w1.mul(v).add(b1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + xc + 4 * (j + L), ORDER);
                        c0 = FMA ? w0.fma(v, c0) : w0.mul(v).add(c0);
                        c1 = FMA ? w1.fma(v, c1) : w1.mul(v).add(c1);
                        v = FloatVector.fromMemorySegment(F, MEMORY, x + xd + 4 * (j + L), ORDER);
                        d0 = FMA ? w0.fma(v, d0) : w0.mul(v).add(d0);
                        d1 = FMA ? w1.fma(v, d1) : w1.mul(v).add(d1);
                    }
                }
            }
        }
        a0.intoMemorySegment(MEMORY, lanes, ORDER);                                                                   // reduce
        a1.intoMemorySegment(MEMORY, lanes + 64, ORDER);
        b0.intoMemorySegment(MEMORY, lanes + 128, ORDER);
        b1.intoMemorySegment(MEMORY, lanes + 192, ORDER);
        c0.intoMemorySegment(MEMORY, lanes + 256, ORDER);
        c1.intoMemorySegment(MEMORY, lanes + 320, ORDER);
        d0.intoMemorySegment(MEMORY, lanes + 384, ORDER);
        d1.intoMemorySegment(MEMORY, lanes + 448, ORDER);
        for (int c = 0; c < columns; c++) for (int r = 0; r < rows; r++) MEMORY.set(FLOAT, y + c * yStride + 4 * r, Lanes.sum(lanes + 64 * (2 * c + r)));
    }
}
