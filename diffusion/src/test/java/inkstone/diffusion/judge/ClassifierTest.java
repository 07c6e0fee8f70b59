package inkstone.diffusion.judge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.SeededWeights;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClassifierTest {
    /** Bars that stand, lie, or neither, in noise. */
    private static ClassifierTask.Labelled bars(long seed, int count) {
        var random = new Random(seed);
        var pictures = new byte[count][12 * 12];
        var labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = random.nextInt(3);
            random.nextBytes(pictures[i]);
            int at = 3 + random.nextInt(6);
            for (int j = 0; j < 12; j++) if (labels[i] != 2) pictures[i][labels[i] == 0 ? at * 12 + j : j * 12 + at] = (byte) 255;
        }
        return new ClassifierTask.Labelled(pictures, labels, 12, 12, 1);
    }

    @Test void itLearnsToTellClassesApart(@TempDir Path folder) throws Exception {
        try (var backend = new CpuBackend(2); var parameters = new Parameters(backend)) {
            var model = Classifier.of(new ClassifierConfig(1, 8, 2, 4, 16, 3), new LearningWeights(new SeededWeights(backend), parameters, _ -> true));
            var task = new ClassifierTask(model, backend, bars(1, 300), bars(2, 100), 32, 5);
            var accuracies = new ArrayList<Double>();
            var settings = new Trainer.Settings("bars", new Schedule(Schedule.Shape.CONSTANT, 0.01, 5, 60, 0), 1, 1, 60, 1_000, 0, 0, false, 3);
            try (var trainer = new Trainer(backend, parameters, new AdamW(backend, parameters.tensors(), AdamW.Settings.USUAL, 4), settings, folder)) {
                trainer.run(task, new TrainingControl(), 0, parameters.count(), event -> { if (event instanceof TrainingEvent.Evaluation e) accuracies.add(e.accuracy()); });
            }
            assertTrue(accuracies.getLast() > 0.9, () -> "accuracies " + accuracies);
            var features = ClassifierTask.features(model, backend, bars(2, 100), 33);
            assertEquals(100, features.length);
            assertEquals(16, features[99].length);
        }
    }
}
