package inkstone.ink;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Every choice of the generator: the same seed gives the same choices on every machine. One thread at a time. */
final class Dice {
    private final SplittableRandom random;

    Dice(long seed) { random = new SplittableRandom(seed); }

    int below(int bound) { return random.nextInt(bound); }

    /** A number from first to last, both of them possible. */
    int between(int first, int last) { return random.nextInt(first, last + 1); }

    boolean chance(double probability) { return random.nextDouble() < probability; }

    <T> T pick(List<T> choices) { return choices.get(random.nextInt(choices.size())); }

    @SafeVarargs
    final <T> T pick(T... choices) { return choices[random.nextInt(choices.length)]; }

    /** Several different choices, in a random order. */
    <T> List<T> pick(int count, List<T> choices) {
        var left = new ArrayList<>(choices);
        var picked = new ArrayList<T>();
        while (picked.size() < count) picked.add(left.remove(random.nextInt(left.size())));
        return picked;
    }
}
