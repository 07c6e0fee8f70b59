package inkstone.gan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.train.TrainingLog;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GanTrainingTest {
    private static final String DCGAN = "\"family\": \"dcgan\", \"size\": 8, \"width\": 8, \"latent\": 8", STYLED = "\"size\": 8, \"channels\": 3, \"width\": 64, \"most\": 8, \"latent\": 8, \"mapping\": 2";

    @TempDir Path folder;

    @BeforeEach void pictures() throws IOException {
        var random = new Random(20264);
        var bytes = new ByteArrayOutputStream();
        var out = new DataOutputStream(bytes);
        int count = 60;
        out.writeInt(0x0803);
        out.writeInt(count);
        out.writeInt(8);
        out.writeInt(8);
        var labels = new ByteArrayOutputStream();
        var labelled = new DataOutputStream(labels);
        labelled.writeInt(0x0801);
        labelled.writeInt(count);
        for (int i = 0; i < count; i++) {                                        // a light square in one of four places
            int label = random.nextInt(4), shade = 128 + random.nextInt(128);
            labelled.writeByte(label);
            for (int y = 0; y < 8; y++) for (int x = 0; x < 8; x++) out.writeByte(y / 4 * 2 + x / 4 == label ? shade : 0);
        }
        Files.write(folder.resolve("pictures.idx"), bytes.toByteArray());
        Files.write(folder.resolve("labels.idx"), labels.toByteArray());
        Files.createDirectories(folder.resolve("colours"));
        for (int i = 0; i < 12; i++) {
            var image = new java.awt.image.BufferedImage(8, 8, java.awt.image.BufferedImage.TYPE_INT_RGB);
            for (int y = 0; y < 8; y++) for (int x = 0; x < 8; x++) image.setRGB(x, y, (x < 4) == (i % 2 == 0) ? 0xFF2000 + i : 0x0020FF);
            javax.imageio.ImageIO.write(image, "png", folder.resolve("colours/%02d.png".formatted(i)).toFile());
        }
    }

    private GanTraining training(String name, String model, String data, String training, CpuBackend backend) throws IOException {
        var file = folder.resolve(name + ".json");
        Files.writeString(file, "{\"name\": \"%s\", \"model\": {%s}, \"data\": {%s}, \"training\": {%s}, \"out\": \"%1$s\"}".formatted(name, model, data, training));
        return new GanTraining(GanTrainingConfig.read(file), file, backend);
    }

    private static final String GREY = "\"pictures\": \"pictures.idx\", \"labels\": \"labels.idx\", \"names\": [\"a\", \"b\", \"c\", \"d\"]", COLOURS = "\"folder\": \"colours\", \"flip\": true";

    private static End run(GanTraining training, TrainingControl control, List<TrainingEvent> events) throws IOException { return training.run(control, (_, _, _) -> {}, events::add); }

    /** Every family runs with all that it has, writes sheets and a model that can be opened. */
    @ParameterizedTest @ValueSource(strings = {
        "\"family\": \"gan\", \"size\": 8, \"latent\": 8; GREY; \"steps\": 3, \"batch\": 8",
        DCGAN + "; GREY; \"steps\": 3, \"batch\": 8",
        "\"family\": \"cogan\", \"width\": 2, \"latent\": 8; GREY; \"steps\": 3, \"batch\": 8",
        "\"family\": \"progressive\", " + STYLED + "; COLOURS; \"steps\": 8, \"batch\": 8, \"growPictures\": 16",
        "\"family\": \"stylegan\", " + STYLED + "; COLOURS; \"steps\": 18, \"batch\": 8, \"growPictures\": 32, \"augment\": 0.6",
        "\"family\": \"stylegan2\", " + STYLED + ", \"conditional\": false; COLOURS; \"steps\": 18, \"batch\": 8, \"r1\": 1, \"pathLength\": true, \"augment\": 0.6, \"mixStyles\": true",
        "\"family\": \"stylegan2\", \"size\": 8, \"width\": 64, \"most\": 8, \"latent\": 8, \"conditional\": true; GREY; \"steps\": 3, \"batch\": 8"})
    void everyFamilyTrains(String what) throws Exception {
        var parts = what.split("; ");
        try (var backend = new CpuBackend(2)) {
            var training = training("run", parts[0], parts[1].equals("GREY") ? GREY : COLOURS, parts[2], backend);
            var events = new ArrayList<TrainingEvent>();
            assertEquals(End.COMPLETE, run(training, new TrainingControl(), events));
            var sheet = events.stream().filter(TrainingEvent.Pictures.class::isInstance).map(TrainingEvent.Pictures.class::cast).toList().getLast();
            assertTrue(Files.size(sheet.file()) > 100);
            assertTrue(events.stream().anyMatch(e -> e instanceof TrainingEvent.Measure m && m.name().equals("variety")));
            try (var file = GanFile.open(training.model(), backend); var scope = Scope.inference(backend)) {
                var c = file.config();
                var made = file.generator().forward(scope.floats(NetworksTest.normal(3, 2 * c.latent()), 2, c.latent()), c.classes() == 0 ? null : scope.ints(1, 3));
                for (float v : made.toFloats()) assertTrue(Float.isFinite(v));
            }
        }
    }

    /** A run that was stopped and goes on gives the losses, and the pictures, of one that was not. */
    @ParameterizedTest @ValueSource(strings = {DCGAN + "; GREY; \"steps\": 8, \"batch\": 8, \"saveEvery\": 3",
        "\"family\": \"stylegan2\", " + STYLED + "; COLOURS; \"steps\": 8, \"batch\": 8, \"saveEvery\": 3, \"augment\": 0.6, \"pathLength\": true"})
    void aStoppedRunGoesOnToTheLastBit(String what) throws Exception {
        var parts = what.split("; ");
        var data = parts[1].equals("GREY") ? GREY : COLOURS;
        try (var backend = new CpuBackend(2)) {
            var whole = training("whole", parts[0], data, parts[2], backend);
            run(whole, new TrainingControl(), new ArrayList<>());
            var stopped = training("stopped", parts[0], data, parts[2], backend);
            var control = new TrainingControl();
            /* Cancelled without a save, as by a kill: it goes on from the checkpoint of step 3. */
            assertEquals(End.CANCELLED, stopped.run(control, (_, _, _) -> {}, event -> { if (event instanceof TrainingEvent.Step step && step.step() == 5) control.cancel(); }));
            assertFalse(Files.exists(stopped.model()));
            assertEquals(End.COMPLETE, run(stopped, new TrainingControl(), new ArrayList<>()));
            assertEquals(TrainingLog.losses(whole.folder()), TrainingLog.losses(stopped.folder()));
            assertArrayEquals(Files.readAllBytes(whole.folder().resolve("samples/step-000008.png")), Files.readAllBytes(stopped.folder().resolve("samples/step-000008.png")));
        }
    }

    @Test void whatIsWrongIsSaidPlainly() throws Exception {
        try (var backend = new CpuBackend(1)) {
            assertTrue(assertThrows(ModelException.class, () -> training("a", "\"family\": \"vqgan\"", GREY, "\"steps\": 1", backend)).getMessage().contains("expected gan, dcgan, cogan"));
            assertTrue(assertThrows(ModelException.class, () -> training("b", DCGAN, "\"flip\": true", "\"steps\": 1", backend)).getMessage().contains("IDX FILE"));
            Files.write(folder.resolve("short.idx"), new byte[] {0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 8, 1});
            var cut = training("c", DCGAN, "\"pictures\": \"short.idx\"", "\"steps\": 1", backend);
            assertTrue(assertThrows(ModelException.class, () -> run(cut, new TrainingControl(), new ArrayList<>())).getMessage().contains("cut short"));
            assertTrue(assertThrows(ModelException.class, () -> GanFile.open(folder.resolve("pictures.idx"), backend)).getMessage().length() > 10);
        }
    }

    @Test void healthIsToldInWords() {
        assertTrue(Health.words(9, -9, 1).contains("discriminator has won"));
        assertTrue(Health.words(0, 0, 0.1).contains("mode collapse"));
        assertTrue(Health.words(0.1, 0, 1).contains("even"));
        assertEquals("", Health.words(2, -2, 1));
    }
}
