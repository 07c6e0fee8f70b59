package inkstone.diffusion.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.dit.DitModel;
import inkstone.tensor.ModelException;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DiffusionTrainingTest {
    private static final String CONFIG = """
        {"name": "tiny", "model": {"size": 8, "patch": 4, "dim": 16, "layers": 2, "heads": 2, "text": {"vocabulary": 300, "length": 12, "layers": 1}}, "data": [{"shapes": true}],
         "validationShare": 0.1, "training": {"steps": %d, "batch": 4, "evaluateEvery": 6, "saveEvery": 4, "validationPictures": 4, "learningRate": 1e-3},
         "samples": {"steps": 2, "prompts": ["a red circle"]}, "out": "%s"}
        """;

    @TempDir private Path folder;

    private Path config(String name, int steps) throws IOException { return Files.writeString(folder.resolve(name + ".json"), CONFIG.formatted(steps, name)); }

    private List<Double> losses(Path config, TrainingControl control, Consumer<TrainingEvent> also) throws IOException {
        var losses = new ArrayList<Double>();
        try (var backend = new CpuBackend(2)) {
            new DiffusionTraining(DiffusionConfig.read(config), config, backend, 2).run(control, (_, _, _) -> { }, event -> {
                if (event instanceof TrainingEvent.Step step) losses.add(step.loss());
                also.accept(event);
            });
        }
        return losses;
    }

    /** Ended without a word after a checkpoint, as by kill -9, a run goes on as if nothing had been. */
    @Test void killedRunGoesOnToTheSameModel() throws IOException {
        var whole = losses(config("whole", 12), new TrainingControl(), _ -> { });
        var killed = config("killed", 12);
        assertThrows(IllegalStateException.class, () -> losses(killed, new TrainingControl(), event -> {
            if (event instanceof TrainingEvent.Step step && step.step() == 7) throw new IllegalStateException("killed");
        }));
        var rest = losses(killed, new TrainingControl(), _ -> { });
        assertEquals(whole.subList(4, 12), rest);
        assertArrayEquals(Files.readAllBytes(folder.resolve("whole/model.gguf")), Files.readAllBytes(folder.resolve("killed/model.gguf")));
        assertTrue(Files.exists(folder.resolve("killed/samples/step-000012.png")));
        try (var backend = new CpuBackend(1); var model = DitModel.open(folder.resolve("whole/model.gguf"), backend)) {
            assertEquals(8, model.dit().config().size());
            assertTrue(model.tokens("A red CIRCLE!").tokens().length > 1);
            assertEquals(1, model.tokens("").tokens().length);
        }
    }

    /** From another run's model on, with its network and words, on other data: what it knew is where it begins. */
    @Test void goesOnFromAnotherModel() throws IOException {
        List<Double> first = new ArrayList<>(), second = new ArrayList<>();
        losses(config("first", 6), new TrainingControl(), event -> { if (event instanceof TrainingEvent.Evaluation evaluation) first.add(evaluation.loss()); });
        var file = Files.writeString(folder.resolve("second.json"), """
            {"name": "second", "from": "first/model.gguf", "data": [{"shapes": true}], "validationShare": 0.1, "training": {"steps": 2, "batch": 4, "validationPictures": 4, "seed": 2}, "out": "second"}
            """);
        losses(file, new TrainingControl(), event -> { if (event instanceof TrainingEvent.Evaluation evaluation) second.add(evaluation.loss()); });
        assertEquals(first.getLast(), second.getFirst());
        Files.writeString(file, Files.readString(file).replace("first/model.gguf", "gone.gguf").replace("\"out\": \"second\"", "\"out\": \"third\""));
        assertTrue(assertThrows(ModelException.class, () -> losses(file, new TrainingControl(), _ -> { })).getMessage().contains("gone.gguf"));
    }

    /** What does not fit is refused before the first step, with settings that would. */
    @Test void memoryIsKnownBefore() throws IOException {
        var predicted = new long[1];
        losses(config("fits", 1), new TrainingControl(), event -> { if (event instanceof TrainingEvent.Started started) predicted[0] = started.predictedBytes(); });
        assertTrue(predicted[0] > 1_000_000 && predicted[0] < 4_000_000_000L, Long.toString(predicted[0]));
        var file = Files.writeString(folder.resolve("large.json"), CONFIG.formatted(1, "large").replace("\"batch\": 4", "\"batch\": 10000000"));
        var refused = assertThrows(ModelException.class, () -> losses(file, new TrainingControl(), _ -> { })).getMessage();
        assertTrue(refused.contains("it fits with \"batch\""), refused);
    }

    @Test void otherSettingsAreNotGoneOnWith() throws IOException {
        var config = config("run", 4);
        losses(config, new TrainingControl(), _ -> { });
        Files.writeString(config, CONFIG.formatted(8, "run").replace("\"batch\": 4", "\"batch\": 2"));
        assertTrue(assertThrows(ModelException.class, () -> losses(config, new TrainingControl(), _ -> { })).getMessage().contains("batch"));
    }

    @Test void mistakesAreSaid() throws IOException {
        var file = folder.resolve("wrong.json");
        for (var wrong : List.of("{}", "{\"model\": {\"dim\": 30, \"layers\": 1, \"heads\": 4}, \"data\": [{\"shapes\": true}], \"training\": {\"steps\": 1}}",
            "{\"model\": {\"dim\": 32, \"layers\": 1, \"heads\": 4}, \"data\": [{}], \"training\": {\"steps\": 1}}",
            "{\"model\": {\"dim\": 32, \"layers\": 1, \"heads\": 4}, \"objective\": \"guess\", \"data\": [{\"shapes\": true}], \"training\": {\"steps\": 1}}", "{\"nodel\": 1}")) {
            Files.writeString(file, wrong);
            assertTrue(assertThrows(ModelException.class, () -> DiffusionConfig.read(file)).getMessage().startsWith(file.toString()), wrong);
        }
    }
}
