package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.SHORT;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.LE;

import inkstone.tensor.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Floats as a cache stores them, {@code count} of them, whole blocks: the way back of {@link Expand}, with the bits of {@link inkstone.tensor.Blocks}. A block of Q8_0
 * that cannot hold its floats becomes NaN.
 */
@FunctionalInterface
interface Store {
    void row(long target, long floats, int count);

    static Store of(DType dtype) {
        return switch (dtype) {
            case F32 -> (target, floats, count) -> MemorySegment.copy(MEMORY, floats, MEMORY, target, 4L * count);
            case F16 -> Store::f16;
            case Q8_0 -> Store::q8;
            default -> throw new UnsupportedOperationException("cpu has no kernel for scatterRows into " + dtype);
        };
    }

    private static void f16(long target, long floats, int count) {
        for (int i = 0; i < count; i++) MEMORY.set(SHORT, target + 2L * i, Float.floatToFloat16(MEMORY.get(FLOAT, floats + 4L * i)));
    }

    private static void q8(long target, long floats, int count) {
        VectorSpecies<Float> quad = FloatVector.SPECIES_128;
        for (long end = floats + 4L * count; floats != end; floats += 4 * 32, target += 34) {
            var most = FloatVector.zero(quad);
            for (int j = 0; j < 32; j += 4) most = most.max(FloatVector.fromMemorySegment(quad, MEMORY, floats + 4 * j, ORDER).abs());
            float largest = Math.max(Math.max(most.lane(0), most.lane(1)), Math.max(most.lane(2), most.lane(3)));
            float d = largest / 127, inverse = 1 / d;
            short scale = Float.floatToFloat16(d);
            if (!(Float.float16ToFloat(scale) < Float.POSITIVE_INFINITY)) {
                scale = Float.floatToFloat16(Float.NaN);
                inverse = 0;
            } else if (inverse == Float.POSITIVE_INFINITY) {
                inverse = 0;
            }
            MEMORY.set(SHORT, target, scale);
            for (int j = 0; j < 32; j += B.length()) {                                                                // body: to nearest, ties away from zero
                var x = FloatVector.fromMemorySegment(F, MEMORY, floats + 4L * j, ORDER).mul(inverse);
                var whole = (IntVector) x.castShape(I, 0);
                var rest = x.sub((FloatVector) whole.castShape(F, 0));
                var bytes = (ByteVector) whole.add(1, rest.compare(GE, 0.5f).cast(I)).sub(1, rest.compare(LE, -0.5f).cast(I)).castShape(B, 0);
                if (TWO_PARTS) {
                    x = FloatVector.fromMemorySegment(F, MEMORY, floats + 4L * (j + L), ORDER).mul(inverse);
                    whole = (IntVector) x.castShape(I, 0);
                    rest = x.sub((FloatVector) whole.castShape(F, 0));
                    bytes = bytes.or((ByteVector) whole.add(1, rest.compare(GE, 0.5f).cast(I)).sub(1, rest.compare(LE, -0.5f).cast(I)).castShape(B, -1));
                }
                bytes.intoMemorySegment(MEMORY, target + 2 + j, ORDER);
            }
        }
    }
}
