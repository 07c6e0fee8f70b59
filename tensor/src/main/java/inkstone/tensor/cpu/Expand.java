package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.S;
import static inkstone.tensor.cpu.Lanes.SHORT;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.half;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.XOR;

import inkstone.tensor.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Stored rows as floats, exactly as {@link inkstone.tensor.Blocks} reads them: {@code count} elements at address {@code source}, whole blocks, to {@code floats}. {@code lanes} is a worker's {@link Scratch#lanes}.
 * An interface, so that C2 compiles each format on its own: all of them inlined into one caller exhaust its inlining budget, and vectors box.
 */
@FunctionalInterface
interface Expand {
    void row(long source, long floats, int count, long lanes);

    static Expand of(DType dtype) {
        return switch (dtype) {
            case F32 -> Expand::f32;
            case F16 -> Expand::f16;
            case BF16 -> Expand::bf16;
            case Q8_0 -> Expand::q8;
            case Q4_0 -> Expand::q4;
            case I32 -> throw new UnsupportedOperationException("cpu: I32 is no weight format");
            default -> UnpackedRows.of(dtype);
        };
    }

    private static void f32(long source, long floats, int count, long lanes) { MemorySegment.copy(MEMORY, source, MEMORY, floats, 4L * count); }

    /* Ten value bits and the exponent move to their place in a float, whose exponent is biased by 112 more. Subnormals get an exponent that is subtracted again. */
    private static void f16(long source, long floats, int count, long lanes) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var half = (IntVector) ShortVector.fromMemorySegment(S, MEMORY, source + 2L * i, ORDER).castShape(I, 0);   // sign in bits 15 to 31
            var bits = half.and(0x7fff).lanewise(LSHL, 13);
            var value = bits.add(112 << 23).add(112 << 23, bits.compare(GE, 31 << 23));          // infinity and NaN: bias twice
            value = value.blend(bits.add(113 << 23).reinterpretAsFloats().sub(0x1p-14f).reinterpretAsInts(), bits.compare(LT, 1 << 23));   // subnormal and zero
            value.or(half.and(0x80000000)).intoMemorySegment(MEMORY, floats + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, floats + 4L * i, half(source + 2L * i));                             // scalar tail
    }

    private static void bf16(long source, long floats, int count, long lanes) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var high = (IntVector) ShortVector.fromMemorySegment(S, MEMORY, source + 2L * i, ORDER).castShape(I, 0);
            high.lanewise(LSHL, 16).intoMemorySegment(MEMORY, floats + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, floats + 4L * i, Float.intBitsToFloat(MEMORY.get(SHORT, source + 2L * i) << 16));  // scalar tail
    }

    private static void q8(long source, long floats, int count, long lanes) {
        for (int block = count / 32; block > 0; block--, source += 34, floats += 4 * 32) {
            float scale = half(source);
            for (int j = 0; j < 32; j += B.length()) {                                                                // body
                var bytes = ByteVector.fromMemorySegment(B, MEMORY, source + 2 + j, ORDER);
                ((FloatVector) bytes.castShape(F, 0)).mul(scale).intoMemorySegment(MEMORY, floats + 4 * j, ORDER);
                if (TWO_PARTS) ((FloatVector) bytes.castShape(F, 1)).mul(scale).intoMemorySegment(MEMORY, floats + 4 * (j + L), ORDER);
            }
        }
    }

    /* A nibble is stored as q + 8; flipping its highest bit makes it q in two's complement, which shifts extend. */
    private static void q4(long source, long floats, int count, long lanes) {
        for (int block = count / 32; block > 0; block--, source += 18, floats += 4 * 32) {
            float scale = half(source);
            for (int j = 0; j < 16; j += B.length()) {                                                                // body: low nibbles, then high ones
                var bytes = ByteVector.fromMemorySegment(B, MEMORY, source + 2 + j, ORDER).lanewise(XOR, (byte) 0x88);
                var pairs = (IntVector) bytes.castShape(I, 0);
                ((FloatVector) pairs.lanewise(LSHL, 28).lanewise(ASHR, 28).castShape(F, 0)).mul(scale).intoMemorySegment(MEMORY, floats + 4 * j, ORDER);
                ((FloatVector) pairs.lanewise(ASHR, 4).castShape(F, 0)).mul(scale).intoMemorySegment(MEMORY, floats + 4 * (j + 16), ORDER);
                if (TWO_PARTS) {
                    pairs = (IntVector) bytes.castShape(I, 1);
                    ((FloatVector) pairs.lanewise(LSHL, 28).lanewise(ASHR, 28).castShape(F, 0)).mul(scale).intoMemorySegment(MEMORY, floats + 4 * (j + L), ORDER);
                    ((FloatVector) pairs.lanewise(ASHR, 4).castShape(F, 0)).mul(scale).intoMemorySegment(MEMORY, floats + 4 * (j + L + 16), ORDER);
                }
            }
        }
    }
}
