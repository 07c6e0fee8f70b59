package inkstone.diffusion.train;

import static inkstone.diffusion.train.JsonConfig.need;
import static inkstone.diffusion.train.JsonConfig.or;

import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.Trainer;

/**
 * How a network learns from pictures, in a configuration; all but the steps has a usual value.
 *
 * @param batch      pictures carried forward and back at once
 * @param accumulate such batches a step
 * @param average    decay of the moving average of the parameters, which is what is judged and kept; 0: none
 */
public record PictureTraining(Integer steps, Integer batch, Integer accumulate, Double learningRate, Integer warmup, String schedule, Double floor, Float beta1, Float beta2, Float weightDecay,
                              Double clip, Integer evaluateEvery, Integer saveEvery, Double average, Boolean recompute, Integer validationPictures, Long seed) {
    static void check(PictureTraining training) {
        need(training != null && training.steps != null, "training: expected {\"steps\": N}");
        need(training.pictures() >= 1 && or(training.accumulate, 1) >= 1, "training: expected batch and accumulate of 1 or more");
        training.rates();
        training.adam();
        training.settings("run");
    }

    Schedule rates() {
        var shape = switch (or(schedule, "cosine")) {
            case "constant" -> Schedule.Shape.CONSTANT;
            case "linear" -> Schedule.Shape.LINEAR;
            case "cosine" -> Schedule.Shape.COSINE;
            default -> throw new IllegalArgumentException("training.schedule: expected constant, linear or cosine, got " + schedule);
        };
        return new Schedule(shape, or(learningRate, 5e-4), or(warmup, Math.min(300, steps / 10)), steps, or(floor, 0.1));
    }

    AdamW.Settings adam() { return new AdamW.Settings(or(beta1, 0.9f), or(beta2, 0.99f), 1e-8f, or(weightDecay, 0.01f), false); }

    Trainer.Settings settings(String what) {
        int every = Math.max(1, steps / 20);
        return new Trainer.Settings(what, rates(), or(accumulate, 1), or(clip, 1.0), or(evaluateEvery, every), or(saveEvery, every), 0, decay(), recomputes(), seeds());
    }

    boolean recomputes() { return or(recompute, false); }
    int pictures() { return or(batch, 64); }
    double decay() { return or(average, 0.999); }
    int validation() { return or(validationPictures, 128); }
    long seeds() { return or(seed, 1L); }
}
