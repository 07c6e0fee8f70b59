package inkstone.server.jobs;

import inkstone.tensor.train.Insight;
import inkstone.tensor.train.TrainingEvent;

/**
 * A job as the database keeps it and as clients see it. Times are milliseconds since 1970, 0 where they have not come.
 *
 * @param data      name of the file of examples
 * @param position  among those that wait, the lowest first
 * @param problem   why it failed, in one sentence; null where it did not
 * @param undoUntil until when a cancellation or deletion can be taken back
 * @param undoState what it was before; null where there is nothing to take back
 */
public record Job(String id, TuneSettings settings, String data, String device, long position, State state, String problem, long created, long started, long ended, long undoUntil, State undoState,
                  Progress progress) {
    public enum State {
        WAITING, RUNNING,
        /** Asked to stop; the step it is in goes on to its end. */
        STOPPING,
        PAUSED,
        /** The program ended while it ran: it goes on from the last checkpoint when asked. */
        INTERRUPTED,
        FINISHED, FAILED, CANCELLED,
        /** Seen by nobody; its files go when it cannot be taken back any more. */
        DELETED;

        boolean continues() { return this == PAUSED || this == INTERRUPTED || this == FAILED; }
        boolean rests() { return this != WAITING && this != RUNNING && this != STOPPING && this != DELETED; }
    }

    /**
     * How far it is. Losses are null before they are known and where they are no number.
     *
     * @param stride every how many steps one is kept for the curve
     */
    public record Progress(String what, long step, long steps, long parameters, long trainable, long predictedBytes, Double loss, Double validation, Double firstValidation, Double bestValidation,
                           long bestStep, long savedStep, long savedAt, double learningRate, double tokensPerSecond, double secondsLeft, long tokens, long stride, Insight.Note insight) {
        static final Progress NONE = new Progress("", 0, 0, 0, 0, 0, null, null, null, null, 0, 0, 0, 0, 0, 0, 0, 1, null);

        Progress after(TrainingEvent event, long now) {
            return switch (event) {
                case TrainingEvent.Started e -> new Progress(e.what(), e.fromStep(), e.steps(), e.parameters(), e.trainable(), e.predictedBytes(), loss, validation, firstValidation,
                    bestStep > e.fromStep() ? null : bestValidation, bestStep > e.fromStep() ? 0 : bestStep, savedStep, savedAt, learningRate, 0, 0, tokens, stride, insight);
                case TrainingEvent.Step e -> new Progress(what, e.step(), e.steps(), parameters, trainable, predictedBytes, finite(e.loss()), validation, firstValidation, bestValidation, bestStep,
                    savedStep, savedAt, e.learningRate(), e.tokensPerSecond(), Double.isFinite(e.secondsLeft()) ? e.secondsLeft() : 0, e.tokens(), stride, insight);
                case TrainingEvent.Evaluation e -> {
                    var found = finite(e.loss());
                    boolean best = found != null && (bestValidation == null || found < bestValidation);
                    yield new Progress(what, step, steps, parameters, trainable, predictedBytes, loss, found, firstValidation == null ? found : firstValidation, best ? found : bestValidation,
                        best ? e.step() : bestStep, savedStep, savedAt, learningRate, tokensPerSecond, secondsLeft, tokens, stride, insight);
                }
                case TrainingEvent.Saved e -> new Progress(what, step, steps, parameters, trainable, predictedBytes, loss, validation, firstValidation, bestValidation, bestStep, e.step(), now,
                    learningRate, tokensPerSecond, secondsLeft, tokens, stride, insight);
                case TrainingEvent.Sample e -> this;
                case TrainingEvent.Pictures e -> this;
                case TrainingEvent.Measure e -> this;
                case TrainingEvent.Finished e -> this;
            };
        }

        /** Step of the model that is kept as the result: the best that was evaluated, else the last that was saved; 0 before either. */
        public long resultStep() { return bestStep > 0 ? bestStep : savedStep; }

        private static Double finite(double loss) { return Double.isFinite(loss) ? loss : null; }

        Progress with(Insight.Note note) { return new Progress(what, step, steps, parameters, trainable, predictedBytes, loss, validation, firstValidation, bestValidation, bestStep, savedStep,
            savedAt, learningRate, tokensPerSecond, secondsLeft, tokens, stride, note); }

        Progress withStride(long newStride) { return new Progress(what, step, steps, parameters, trainable, predictedBytes, loss, validation, firstValidation, bestValidation, bestStep, savedStep,
            savedAt, learningRate, tokensPerSecond, secondsLeft, tokens, newStride, insight); }
    }

    Job with(Progress newProgress) { return new Job(id, settings, data, device, position, state, problem, created, started, ended, undoUntil, undoState, newProgress); }

    /** In another state, with nothing to take back. */
    Job with(State newState) { return new Job(id, settings, data, device, position, newState, null, created, started, ended, 0, null, progress); }

    Job failed(String newProblem) { return new Job(id, settings, data, device, position, State.FAILED, newProblem, created, started, ended, 0, null, progress); }

    Job waiting(long newPosition) { return new Job(id, settings, data, device, newPosition, State.WAITING, null, created, started, 0, 0, null, progress); }

    Job running(long now) { return new Job(id, settings, data, device, position, State.RUNNING, null, created, now, 0, 0, null, progress); }

    Job ended(long now) { return new Job(id, settings, data, device, position, state, problem, created, started, now, undoUntil, undoState, progress); }

    /** Cancelled or deleted, until {@code until} not for good. */
    Job undoable(State newState, State before, long until) { return new Job(id, settings, data, device, position, newState, problem, created, started, ended, until, before, progress); }
}
