package inkstone.tensor.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Says in plain words what the losses of a run mean, by rules. Each evaluation is judged by itself, against the best one before it and by the mean training loss
 * since the one before; a note is given once three evaluations in a row were judged alike, so that noise says nothing. A loss that is not a number is said at once.
 * Fed with every event of the run, from one thread; what it says is read in between.
 */
public final class Insight {
    public enum Kind { STILL_FALLING, FLAT, MEMORISING, TOO_FAST, NOT_A_NUMBER }

    /**
     * @param since     step since which it is so
     * @param bestStep  step of the lowest validation loss, -1 before the first
     */
    public record Note(Kind kind, long since, long bestStep, String title, String text) {}

    /** Evaluations in a row that must be judged alike. */
    private static final int HELD = 3;
    /** A validation loss counts as risen, or as fallen, beyond this share: evaluations of a few hundred tokens differ by less from one step to the next. */
    private static final double RISEN = 0.005, FALLEN = 0.002;
    /** A mean training loss this much above the lowest so far is no noise: the steps are too long. */
    private static final double JUMPED = 1.15;

    /** @param training mean training loss since the evaluation before; NaN where there was no step */
    private record Point(long step, double validation, double training, Kind kind) {}

    private final List<Point> points = new ArrayList<>();
    private double sum;
    private int steps;
    private long brokenAt = -1;

    public void accept(TrainingEvent event) {
        switch (event) {
            case TrainingEvent.Started started -> {
                points.removeIf(point -> point.step > started.fromStep() || started.fromStep() == 0);
                brokenAt = -1;
                sum = steps = 0;
            }
            case TrainingEvent.Step step -> {
                if (!Double.isFinite(step.loss())) broken(step.step());
                sum += step.loss();
                steps++;
            }
            case TrainingEvent.Evaluation evaluation -> {
                if (!Double.isFinite(evaluation.loss())) broken(evaluation.step());
                else add(evaluation.step(), evaluation.loss());
            }
            default -> { }
        }
    }

    private void broken(long step) { if (brokenAt < 0) brokenAt = step; }

    private void add(long step, double validation) {
        double training = steps == 0 ? Double.NaN : sum / steps;
        sum = steps = 0;
        points.add(new Point(step, validation, training, judged(validation, training)));
    }

    /** Null where there is nothing to compare with. */
    private Kind judged(double validation, double training) {
        if (points.isEmpty()) return null;
        var best = best();
        double lowestTraining = points.stream().mapToDouble(Point::training).filter(Double::isFinite).min().orElse(Double.NaN);
        boolean risen = validation > best.validation * (1 + RISEN);
        if (training > lowestTraining * JUMPED) return Kind.TOO_FAST;
        if (risen && training < best.training) return Kind.MEMORISING;
        if (validation < points.getLast().validation * (1 - FALLEN)) return Kind.STILL_FALLING;
        return risen ? null : Kind.FLAT;
    }

    private Point best() {
        var best = points.getFirst();
        for (var point : points) if (point.validation < best.validation) best = point;
        return best;
    }

    /** What there is to say now. */
    public Optional<Note> note() {
        long bestStep = points.isEmpty() ? -1 : best().step;
        if (brokenAt >= 0) {
            return Optional.of(new Note(Kind.NOT_A_NUMBER, brokenAt, bestStep, "The loss is not a number",
                "At step %s the numbers grew beyond what a float can hold. Nothing is learned from here on: start again with a lower learning rate.".formatted(shown(brokenAt))));
        }
        var kind = points.isEmpty() ? null : points.getLast().kind;
        if (kind == null) return Optional.empty();
        int first = points.size();
        while (first > 0 && points.get(first - 1).kind == kind) first--;
        if (points.size() - first < HELD) return Optional.empty();
        return Optional.of(note(kind, points.get(first).step, bestStep));
    }

    private Note note(Kind kind, long since, long bestStep) {
        return switch (kind) {
            case STILL_FALLING -> new Note(kind, since, bestStep, "It is still learning",
                "The loss on examples it has never seen fell at each of the last evaluations. More steps are likely to help.");
            case FLAT -> new Note(kind, since, bestStep, "It has levelled off",
                "Since step %s the loss on examples it has never seen hardly changes. More steps will not change much; more or other examples might.".formatted(shown(since)));
            case MEMORISING -> new Note(kind, since, bestStep, "It has started to memorise",
                "Since step %s it does better on the examples it trains on and worse on those it has never seen. The model of that step is kept.".formatted(shown(bestStep)));
            case TOO_FAST -> new Note(kind, since, bestStep, "It learns too fast",
                "Since step %s the training loss has jumped up. A lower learning rate, half or a third of this one, usually helps.".formatted(shown(since)));
            case NOT_A_NUMBER -> throw new AssertionError("said at once, by itself");
        };
    }

    private static String shown(long step) { return String.format(Locale.ROOT, "%,d", step); }
}
