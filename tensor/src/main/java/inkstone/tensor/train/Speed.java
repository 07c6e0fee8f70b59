package inkstone.tensor.train;

/** Tokens a second of the last steps. */
final class Speed {
    private static final double HALF_LIFE_STEPS = 10;
    private long last = System.nanoTime();
    private double tokens, seconds, steps;

    void add(long size) {
        long now = System.nanoTime();
        double keep = Math.pow(0.5, 1 / HALF_LIFE_STEPS);
        tokens = tokens * keep + size;
        seconds = seconds * keep + (now - last) / 1e9;
        steps = steps * keep + 1;
        last = now;
    }

    /** What was done since does not count. */
    void restart() { last = System.nanoTime(); }

    double perSecond() { return seconds > 0 ? tokens / seconds : 0; }

    double secondsLeft(long stepsLeft) { return steps > 0 ? stepsLeft * seconds / steps : 0; }
}
