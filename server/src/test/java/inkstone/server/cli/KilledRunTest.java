package inkstone.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.transformer.train.TrainingLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A run in a process of its own is killed, as by SIGKILL, and goes on as if nothing had been. */
@Timeout(240)
class KilledRunTest {
    private static final int STEPS = 24;

    @TempDir private Path folder;

    private Path config(String out) throws IOException {
        var text = new StringBuilder();
        var random = new Random(3);
        for (int i = 0; i < 4_000; i++) text.append("aeinort".charAt(random.nextInt(7))).append(i % 17 == 0 ? "\n" : i % 5 == 0 ? " " : "");
        Files.writeString(folder.resolve("text.txt"), text);
        return Files.writeString(folder.resolve(out + ".json"), """
            {"name": "tiny", "model": {"layers": 2, "dim": 32, "heads": 2, "context": 32}, "tokenizer": {"characters": true}, "data": [{"path": "text.txt"}], "out": "%s",
             "training": {"steps": %d, "rows": 4, "accumulate": 2, "windows": true, "average": 0.9, "evaluateEvery": 12, "validationBatches": 2, "saveEvery": 3}}""".formatted(out, STEPS));
    }

    private Process start(Path config) throws IOException {
        return new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
            "-cp", System.getProperty("java.class.path"), "inkstone.server.Main", "train", "llm", config.toString(), "-t", "1")
            .redirectErrorStream(true).redirectOutput(folder.resolve("child.txt").toFile()).start();
    }

    private String told() throws IOException { return Files.readString(folder.resolve("child.txt")); }

    private static String log(Path run) throws IOException { return Files.exists(TrainingLog.file(run)) ? Files.readString(TrainingLog.file(run)) : ""; }

    private interface Moment { boolean isNow() throws IOException; }

    private void killAt(Moment moment, Path config) throws IOException, InterruptedException {
        var process = start(config);
        while (!moment.isNow()) {
            assertTrue(process.isAlive(), () -> { try { return "ended too early: " + told(); } catch (IOException e) { return e.toString(); } });
            LockSupport.parkNanos(200_000);
        }
        process.destroyForcibly();
        assertTrue(process.waitFor(Duration.ofSeconds(30)));
        assertNotEquals(0, process.exitValue(), "killed before its end");
    }

    private static boolean saving(Path run) throws IOException {
        try (var files = Files.list(run)) { return files.anyMatch(file -> file.getFileName().toString().startsWith(".checkpoint.gguf.")); }
    }

    @Test void aKilledRunGoesOnToTheSameLosses() throws Exception {
        var out = new StringWriter();
        assertEquals(0, Inkstone.run(new PrintWriter(out), new PrintWriter(out), "train", "llm", config("whole").toString(), "-t", "1"), out.toString());
        var expected = TrainingLog.losses(folder.resolve("whole"));
        assertEquals(STEPS, expected.size());

        var config = config("killed");
        var run = folder.resolve("killed");
        long seed = System.nanoTime(), moment = new Random(seed).nextLong(30_000_000);
        long[] seen = {0};
        killAt(() -> {                                                                                       // somewhere in or between two steps
            if (seen[0] == 0 && log(run).contains("\"step\":5,")) seen[0] = System.nanoTime();
            return seen[0] != 0 && System.nanoTime() - seen[0] > moment;
        }, config);
        long done = log(run).lines().filter(line -> line.contains("\"event\":\"step\"")).count();
        killAt(() -> log(run).contains("\"step\":%d,".formatted(done + 6)) && saving(run), config);          // while a checkpoint is being written
        assertFalse(Files.exists(run.resolve("model.gguf")));

        var last = start(config);
        assertTrue(last.waitFor(120, TimeUnit.SECONDS));
        assertEquals(0, last.exitValue(), told());
        assertTrue(told().contains("from step "), told());
        assertEquals(expected, TrainingLog.losses(run), "seed " + seed);
        assertEquals(-1, Files.mismatch(folder.resolve("whole/model.gguf"), run.resolve("model.gguf")), "the models");
        assertFalse(saving(run), "what a killed run left half written is swept up");
    }
}
