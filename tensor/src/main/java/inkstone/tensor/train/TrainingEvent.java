package inkstone.tensor.train;

import java.nio.file.Path;

/** What a run tells while it goes, in order; the same for the terminal, a log file and the browser. */
public sealed interface TrainingEvent {
    /**
     * @param fromStep       steps done before: above 0 where a run is resumed
     * @param parameters     of the whole model
     * @param trainable      those of them that learn
     * @param predictedBytes memory that the run will need at most
     */
    record Started(String what, long fromStep, long steps, long parameters, long trainable, long predictedBytes) implements TrainingEvent {}

    /**
     * @param loss            mean cross-entropy of the step's learned tokens, in nats (or what the task calls its loss)
     * @param gradientNorm    before clipping
     * @param tokensPerSecond lately
     * @param tokens          read since the run began, also before it was resumed
     * @param secondsLeft     at this speed
     */
    record Step(long step, long steps, double loss, double learningRate, double gradientNorm, double tokensPerSecond, long tokens, double secondsLeft) implements TrainingEvent {}

    /**
     * @param loss     mean on the validation part; the perplexity of text is its exponential
     * @param accuracy share of the validation part that the model decides rightly; NaN where it decides nothing
     */
    record Evaluation(long step, double loss, double accuracy) implements TrainingEvent {
        public Evaluation(long step, double loss) { this(step, loss, Double.NaN); }
    }

    record Sample(long step, String prompt, String text) implements TrainingEvent {}

    /** A sheet of pictures that the model makes now, as a PNG file in the run's folder; {@code what} says which. */
    record Pictures(long step, String what, Path file) implements TrainingEvent {}

    /** A further number at an evaluation or a step, under a name that stays the same through the run: the other network's loss, the loss at one level of noise. */
    record Measure(long step, String name, double value) implements TrainingEvent {}

    record Saved(long step, Path checkpoint) implements TrainingEvent {}

    record Finished(long step, End end) implements TrainingEvent {}

    /** Why a run ended. */
    enum End { COMPLETE, STOPPED_EARLY, PAUSED, CANCELLED }
}
