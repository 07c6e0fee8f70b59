package inkstone.transformer.train;

import java.util.SplittableRandom;

/** Orders drawn at random (Fisher & Yates): the same seed gives the same on every machine. */
final class Shuffle {
    private Shuffle() {}

    static int[] order(int count, SplittableRandom random) {
        var order = new int[count];
        for (int i = 0; i < count; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    /**
     * A generator that depends on both numbers. Each is scrambled on its own: SplittableRandom's state moves on by a constant, and seeds that differ by multiples of it give
     * the same numbers, one place on.
     */
    static SplittableRandom random(long seed, long index) { return new SplittableRandom(new SplittableRandom(seed).nextLong() ^ Long.rotateLeft(new SplittableRandom(index).nextLong(), 32)); }
}
