package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.J;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;

import jdk.incubator.vector.LongVector;

/** {@link inkstone.tensor.Philox} for many counters at once, a word in each lane of longs, whose products need both halves. */
final class RandomWords {
    private static final long LOW = 0xFFFFFFFFL;

    private RandomWords() {}

    /**
     * The words of {@code counters} counters from {@code counter} on: 0 and 2 of each, two ints, go to {@code even}, 1 and 3 to {@code odd}. Both have room for a multiple
     * of 8 counters.
     */
    static void fill(long even, long odd, long counter, int counters, long key) {
        for (int i = 0; i < counters; i += J.length()) {
            var c = LongVector.broadcast(J, counter + i).addIndex(1);
            var c0 = c.and(LOW);
            var c1 = c.lanewise(LSHR, 32);
            var c2 = LongVector.zero(J);
            var c3 = LongVector.zero(J);
            int k0 = (int) key, k1 = (int) (key >>> 32);
            for (int round = 0; round < 10; round++) {
                var first = c0.mul(0xD2511F53L);
                var second = c2.mul(0xCD9E8D57L);
                c0 = second.lanewise(LSHR, 32).lanewise(XOR, c1).lanewise(XOR, k0 & LOW);
                c2 = first.lanewise(LSHR, 32).lanewise(XOR, c3).lanewise(XOR, k1 & LOW);
                c1 = second.and(LOW);
                c3 = first.and(LOW);
                k0 += 0x9E3779B9;
                k1 += 0xBB67AE85;
            }
            c0.or(c2.lanewise(LSHL, 32)).intoMemorySegment(MEMORY, even + 8L * i, ORDER);
            c1.or(c3.lanewise(LSHL, 32)).intoMemorySegment(MEMORY, odd + 8L * i, ORDER);
        }
    }
}
