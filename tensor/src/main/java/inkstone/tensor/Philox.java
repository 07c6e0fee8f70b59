package inkstone.tensor;

/**
 * Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words for each counter and key, with no state, so that any thread of any
 * backend makes the same numbers.
 */
public final class Philox {
    private Philox() {}

    /** Word {@code word} (0 to 3) of the four of this counter and key. */
    public static int word(long counter, long key, int word) { return word(counter, 0, key, word); }

    /** Of a counter of 128 bits, {@code high} its upper half. */
    public static int word(long counter, long high, long key, int word) {
        int c0 = (int) counter, c1 = (int) (counter >>> 32), c2 = (int) high, c3 = (int) (high >>> 32), k0 = (int) key, k1 = (int) (key >>> 32);
        for (int round = 0; round < 10; round++) {
            long first = 0xD2511F53L * (c0 & 0xFFFFFFFFL), second = 0xCD9E8D57L * (c2 & 0xFFFFFFFFL);
            int next0 = (int) (second >>> 32) ^ c1 ^ k0, next2 = (int) (first >>> 32) ^ c3 ^ k1;
            c1 = (int) second;
            c3 = (int) first;
            c0 = next0;
            c2 = next2;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return switch (word) { case 0 -> c0; case 1 -> c1; case 2 -> c2; default -> c3; };
    }

    /** Random number {@code index} of a key, in [0, 1) in steps of 2⁻²⁴. */
    public static float uniform(long index, long key) { return (word(index >> 2, key, (int) (index & 3)) >>> 8) * 0x1p-24f; }
}
