package inkstone.diffusion.dit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Picture;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.train.DiffusionConfig;
import inkstone.diffusion.train.DiffusionTraining;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.TrainingControl;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tiny model after a few steps: what it paints means nothing, and must be the same every time. */
final class DitPipelineTest {
    private static CpuBackend backend;
    private static DitPipeline pipeline;
    private static Path file;

    @BeforeAll static void open(@TempDir Path folder) throws IOException {
        backend = new CpuBackend(2);
        var config = Files.writeString(folder.resolve("tiny.json"), """
            {"name": "tiny", "model": {"size": 8, "patch": 2, "dim": 16, "layers": 1, "heads": 2, "text": {"vocabulary": 300, "length": 8, "layers": 1}}, "data": [{"shapes": true}],
             "validationShare": 0, "training": {"steps": 20, "batch": 4, "learningRate": 1e-2, "warmup": 1, "average": 0}, "out": "run"}
            """);
        var run = new DiffusionTraining(DiffusionConfig.read(config), config, backend, 2);
        run.run(new TrainingControl(), (_, _, _) -> { }, _ -> { });
        file = run.model();
        pipeline = DitPipeline.open(file, backend, false);
        assertEquals(pipeline.info(), DitPipeline.info(file, false));
    }

    @AfterAll static void close() {
        pipeline.close();
        backend.close();
    }

    private static ImageRequest request(String prompt) { return pipeline.info().defaults().withPrompt(prompt).withSteps(3); }

    private static Picture painted(ImageRequest request) { return pipeline.paint(request, ImagePipeline.Watcher.NOBODY).getFirst().picture(); }

    @Test void seedPromptAndGuidanceDecideThePicture() {
        var first = painted(request("a red circle"));
        assertEquals(64, first.width());
        assertEquals(first, painted(request("a red circle")));
        assertNotEquals(first, painted(request("a red circle").withSeed(1)));
        assertNotEquals(first, painted(request("four blue squares")));
        assertNotEquals(first, painted(request("a red circle").withGuidance(1)));
        assertNotEquals(first, painted(request("a red circle").withNegative("blue")));
        assertNotEquals(first, painted(request("a (red:1.5) circle")));
        assertEquals(first, painted(request("A (red:1.0) circle!")));
        var two = pipeline.paint(request("a red circle").withCount(2), ImagePipeline.Watcher.NOBODY);
        assertEquals(first, two.get(0).picture());
        assertEquals(painted(request("a red circle").withSeed(1)), two.get(1).picture());
    }

    @Test void everySamplerAndScheduleThatIsListedPaints() {
        for (var sampler : pipeline.info().samplers()) assertEquals(64, painted(request("a star").withSampler(sampler, null)).height(), sampler);
        for (var schedule : pipeline.info().schedules()) assertEquals(64, painted(request("a star").withSampler(null, schedule)).height(), schedule);
    }

    @Test void stepsAreToldAndMayBeCancelled() {
        var steps = new ArrayList<Integer>();
        pipeline.paint(request("a star"), step -> {
            steps.add(step.step());
            assertEquals(8, step.predicted().width());
            assertEquals(8, step.noisy().width());
        });
        assertEquals(List.of(1, 2, 3), steps);
        assertThrows(CancellationException.class, () -> pipeline.paint(request("a star"), _ -> { throw new CancellationException(); }));
    }

    /** A sheet's picture is the pipeline's before it is enlarged, up to the rounding of sums over other numbers of rows. */
    @Test void sheetsAreOfTheSamePictures() throws IOException {
        var last = new Picture[1];
        pipeline.paint(request("a red circle").withSeed(5).withSampler("euler_a", null), step -> last[0] = step.noisy());
        try (var model = DitModel.open(file, backend)) {
            var sheet = new DitSheet(model, backend, Sampler.EULER_A, 3, 3, 2).paint(List.of("a star", "two blue rings", "a red circle"), 3);
            for (int i = 0; i < last[0].bytes().length; i++) assertEquals(last[0].bytes()[i] & 0xFF, sheet.get(2).bytes()[i] & 0xFF, 1);
        }
    }

    @Test void whatItCannotDoIsSaid() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> pipeline.check(request("a star").withSize(512, 512))).getMessage().contains("64"));
    }
}
