package inkstone.server.jobs;

import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.util.function.Consumer;

/** What a job runs: begins, or goes on from the last checkpoint in its folder, and returns at its end or soon after the control asked for it. One thread. */
@FunctionalInterface
public interface TrainingJob {
    /** @throws IOException or an unchecked exception whose message tells the user what went wrong; what was saved before stays good */
    void run(TrainingControl control, Consumer<TrainingEvent> events) throws IOException;
}
