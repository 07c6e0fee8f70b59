package inkstone.gan;

import java.util.SplittableRandom;

/** Random numbers that are a function of two whole numbers. */
final class Seeds {
    private Seeds() {}

    /** SplittableRandom's own seeds must not be neighbours times its increment: their numbers would be the same ones, shifted by a place. */
    static SplittableRandom of(long seed, long part) { return new SplittableRandom(new SplittableRandom(seed).nextLong() ^ new SplittableRandom(~part).nextLong()); }
}
