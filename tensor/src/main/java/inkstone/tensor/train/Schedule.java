package inkstone.tensor.train;

/**
 * Learning rate by step: a linear warm-up from 0, then constant, or falling to {@code floor} · peak at the last step, linearly or along half a cosine
 * (Loshchilov & Hutter 2016, arXiv:1608.03983).
 *
 * @param peak   the rate after the warm-up
 * @param warmup steps
 * @param floor  share of the peak, 0 to 1
 */
public record Schedule(Shape shape, double peak, long warmup, long steps, double floor) {
    public enum Shape { CONSTANT, LINEAR, COSINE }

    public Schedule {
        if (!(peak > 0 && peak < 10)) throw new IllegalArgumentException("learning rate: expected above 0 and below 10, got " + peak);
        if (warmup < 0 || steps < 1 || warmup > steps) throw new IllegalArgumentException("warm-up: expected 0 to %d steps, got %d".formatted(steps, warmup));
        if (!(floor >= 0 && floor <= 1)) throw new IllegalArgumentException("floor of the learning rate: expected a share of 0 to 1, got " + floor);
    }

    /** The rate of step {@code step}, the first of which is 1. */
    public double rate(long step) {
        if (step <= warmup) return peak * step / warmup;
        double done = steps == warmup ? 1 : Math.min(1, (step - warmup) / (double) (steps - warmup));
        return switch (shape) {
            case CONSTANT -> peak;
            case LINEAR -> peak * (1 - (1 - floor) * done);
            case COSINE -> peak * (floor + (1 - floor) * (1 + Math.cos(Math.PI * done)) / 2);
        };
    }
}
