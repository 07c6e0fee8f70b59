package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;

import inkstone.tensor.DType;
import jdk.incubator.vector.FloatVector;

/**
 * How {@link RowDots} wants one row of activations laid out. For formats of 256 elements a block: for each {@link Lanes#L} ints of quants, that is bytes 4 l + b of lane l,
 * the activations of the low nibbles of byte b, then those of the high nibbles, for b = 0 .. 3, each times 2^-8b, as a masked byte b is q · 2^8b. After all of them, 16 floats
 * for each block: the sums of activations by group times what each element of a group has taken off (-32, or -1 and the file's offset).
 */
enum Order {
    AS_IS(0), Q4_K(32), Q6_K(64);

    /** Neighbouring elements that lie in the low nibbles of neighbouring bytes; the next as many lie in the high ones. */
    private final int run;

    Order(int run) { this.run = run; }

    static Order of(DType dtype) {
        return switch (dtype) {
            case Q4_K, Q5_K -> Q4_K;
            case Q6_K -> Q6_K;
            default -> AS_IS;
        };
    }

    static long bytes(int in) { return 4L * (in + in / 16); }

    /** @param lanes a worker's {@link Scratch#lanes} */
    void arrange(long x, int in, long to, long lanes) {
        long sums = to + 4L * in;
        for (long end = x + 4L * in; x != end; x += 1024, to += 1024, sums += 64) {
            move(x, to);
            if (this == Q6_K) sums(x, 16, 16, -32, sums, lanes);
            else {
                FloatVector.zero(FloatVector.SPECIES_128).intoMemorySegment(MEMORY, sums, ORDER);
                FloatVector.zero(FloatVector.SPECIES_128).intoMemorySegment(MEMORY, sums + 16, ORDER);
                sums(x, 32, 8, -1, sums + 32, lanes);
            }
        }
    }

    private void move(long x, long to) {
        int lanes = Math.min(8, L);
        for (int at = 0; at < 128; at += 4 * lanes) {
            long low = x + 4L * (2 * (at / run * run) + at % run), place = to + at / (4 * L) * (32L * L) + at % (4 * L);
            Panels.transpose(place, low, 16, lanes, 4);
            Panels.transpose(place + 4 * L, low + 4L * run, 16, lanes, 4);
        }
        float factor = 1;
        for (int b = 1; b < 4; b++) {
            factor *= 0x1p-8f;
            for (long part = to + b * 8L * L; part < to + 1024; part += 32L * L) {
                FloatVector.fromMemorySegment(F, MEMORY, part, ORDER).mul(factor).intoMemorySegment(MEMORY, part, ORDER);
                FloatVector.fromMemorySegment(F, MEMORY, part + 4 * L, ORDER).mul(factor).intoMemorySegment(MEMORY, part + 4 * L, ORDER);
            }
        }
    }

    private static void sums(long x, int group, int groups, float factor, long sums, long lanes) {
        for (int g = 0; g < groups; g++, x += 4L * group) {
            var sum = FloatVector.fromMemorySegment(F, MEMORY, x, ORDER);
            for (int i = L; i < group; i += L) sum = sum.add(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER));
            sum.intoMemorySegment(MEMORY, lanes, ORDER);
            MEMORY.set(FLOAT, sums + 4L * g, factor * Lanes.sum(lanes));
        }
    }
}
