package inkstone.diffusion.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Shape;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.train.TrainingLog;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VaeTrainingTest {
    @TempDir Path folder;

    private VaeTraining training(String name, String head, int steps, CpuBackend backend) throws Exception {
        var file = folder.resolve(name + ".json");
        Files.writeString(file, """
            {"name": "%s", "model": {"size": 16, "channels": 8, "multipliers": [1, 2], "latentChannels": 4, "groups": 4, %s}, "data": [{"shapes": true}], "validationShare": 0.02,
             "training": {"steps": %d, "batch": 8, "learningRate": 3e-3, "evaluateEvery": 10, "saveEvery": 4, "validationPictures": 8, "seed": 3}, "out": "%1$s"}""".formatted(name, head, steps));
        return new VaeTraining(VaeConfig.read(file), file, backend);
    }

    private static End run(VaeTraining training, List<TrainingEvent> events) throws Exception { return training.run(new TrainingControl(), (_, _, _) -> {}, events::add); }

    @ParameterizedTest @ValueSource(strings = {"\"head\": \"plain\"", "\"head\": \"kl\"", "\"head\": \"vq\", \"codes\": 32", "\"head\": \"fsq\", \"levels\": [8, 5, 5]"})
    void everyHeadLearnsToGivePicturesBack(String head) throws Exception {
        try (var backend = new CpuBackend(2)) {
            var events = new ArrayList<TrainingEvent>();
            var training = training("run", head, 30, backend);
            assertEquals(End.COMPLETE, run(training, events));
            var losses = events.stream().filter(TrainingEvent.Step.class::isInstance).map(TrainingEvent.Step.class::cast).mapToDouble(TrainingEvent.Step::loss).toArray();
            assertTrue(losses[29] < 0.8 * losses[0], () -> "from %s to %s".formatted(losses[0], losses[29]));
            assertTrue(events.stream().anyMatch(TrainingEvent.Pictures.class::isInstance));
            assertEquals(head.contains("vq") || head.contains("fsq"), events.stream().anyMatch(e -> e instanceof TrainingEvent.Measure m && m.name().equals("codes used")));
            try (var file = AutoencoderFile.open(training.model(), backend, UnaryOperator.identity()); var scope = Scope.inference(backend)) {
                var latents = file.encode(scope.floats(new float[2 * 16 * 16 * 3], 2, 16, 16, 3));
                assertEquals(8, latents.shape().dim(1));
                assertEquals(new Shape(2, 16, 16, 3), file.decode(latents).shape());
                if (file.quantizer() != null) assertEquals(new Shape(1, 16, 16, 3), file.decode(scope, new int[64], 1, 8, 8).shape());
            }
        }
    }

    @Test void aStoppedRunGoesOnToTheLastBit() throws Exception {
        try (var backend = new CpuBackend(2)) {
            var whole = training("whole", "\"head\": \"kl\"", 8, backend);
            run(whole, new ArrayList<>());
            var stopped = training("stopped", "\"head\": \"kl\"", 8, backend);
            var control = new TrainingControl();
            assertEquals(End.CANCELLED, stopped.run(control, (_, _, _) -> {}, event -> { if (event instanceof TrainingEvent.Step step && step.step() == 6) control.cancel(); }));
            assertEquals(End.COMPLETE, run(stopped, new ArrayList<>()));
            assertEquals(TrainingLog.losses(whole.folder()), TrainingLog.losses(stopped.folder()));
        }
    }

    @Test void impossibleOnesAreRefused() {
        try (var backend = new CpuBackend(1)) {
            assertTrue(assertThrows(ModelException.class, () -> training("a", "\"head\": \"gan\"", 1, backend)).getMessage().contains("plain, kl, vq or fsq"));
            assertTrue(assertThrows(ModelException.class, () -> training("c", "\"head\": \"kl\"".replace("kl\"", "kl\", \"blocks\": 0"), 1, backend)).getMessage().contains("1 or more"));
            assertTrue(assertThrows(ModelException.class, () -> training("b", "\"head\": \"fsq\", \"levels\": [1, 2]", 1, backend)).getMessage().contains("levels"));
        }
    }
}
