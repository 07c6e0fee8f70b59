package inkstone.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.DType;
import inkstone.tensor.cuda.StandIn;
import inkstone.transformer.Footprint;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

/** Commands on a GPU, or on the stand-in for one: which is chosen, what is said of it, and what does not fit. */
@Tag("cuda")
class CudaCommandsTest {
    private static Path model;
    /** A beginning, and how the CPU goes on. */
    private static String beginning, expected;

    private record Ended(int code, String out, String err) {}

    @BeforeAll static void device() throws Exception {
        StandIn.require();
        assumeTrue(!StandIn.isDevice(), "skipped: this needs a device whose memory can be made small");
        var folder = Path.of(System.getProperty("inkstone.data", "data"), "weights-llama-stories260K");
        assumeTrue(Files.isDirectory(folder), () -> "skipped: no folder %s; set -Dinkstone.data to the folder with the test weights".formatted(folder));
        model = folder.resolve("stories260K-f32.gguf");
        var story = Files.readString(folder.resolve("EXPECTED.txt"));
        beginning = story.lines().skip(1).findFirst().orElseThrow().split("\\.")[0] + ".";
        expected = tell("--device", "cpu").out;
    }

    @AfterEach void usual() {
        StandIn.memory(4L << 30);
        StandIn.set("devices", 1);
        StandIn.set("version", 13_000);
    }

    private static Ended run(String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int code = Inkstone.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
        return new Ended(code, out.toString(), err.toString());
    }

    private static Ended tell(String... more) {
        var arguments = new String[11 + more.length];
        System.arraycopy(new String[] {"chat", "-m", model.toString(), "--raw", "-p", beginning, "-n", "12", "--temperature", "0", "--kv=f32"}, 0, arguments, 0, 11);
        System.arraycopy(more, 0, arguments, 11, more.length);
        return run(arguments);
    }

    private static void assertTells(Ended ended, String err) {
        assertEquals(0, ended.code, ended.err);
        assertEquals(expected, ended.out);
        assertTrue(ended.err.replaceAll("\n?\\[prompt: .*\\]\n", "").matches(err), ended.err);
    }

    @Test void theGpuIsTakenWhereThereIsOne() throws Exception {
        assertTells(tell(), "");
        assertTells(tell("--device", "cuda"), "");
        assertTrue(expected.strip().length() > 10, expected);
        var bench = run("bench", "-m", model.toString(), "-p", "4", "-n", "2", "-r", "1", "--json");
        assertEquals(0, bench.code, bench.err);
        var told = JsonMapper.shared().readTree(bench.out);
        assertEquals("cuda", told.get("backend").asString());
        assertTrue(told.get("device").asString().contains("CUDA"), bench.out);
    }

    @Test void aGpuThatIsNotThereIsAnErrorInOneLine() {
        for (var device : new String[] {"auto", "cuda"}) {
            var ended = tell("--device", device, "--gpu", "3");
            assertEquals(1, ended.code);
            assertTrue(ended.err.matches("inkstone: (no GPU to compute on: )?there is no GPU 3, the last is 0.*\n"), ended.err);
        }
    }

    @Test void layersGoWhereTheyAreWanted() {
        assertTells(tell("--gpu-layers", "2"), "");
        assertTells(tell("--gpu-layers", "99"), "");
        assertTells(tell("--gpu-layers", "0"), "");
    }

    @Test void ofTwoGpusTheFirstIsTakenAndSaidSo() {
        StandIn.set("devices", 2);
        assertTells(tell(), "inkstone: 2 GPUs: computing on the first, .+; --gpu 1 is .+");
        assertTells(tell("--gpu", "1"), "");
    }

    @Test void aDriverThatIsTooOldIsSaidAndNotUsed() {
        StandIn.set("version", 11_080);
        assertTells(tell(), "inkstone: the NVIDIA driver speaks CUDA 11\\.8, 12\\.0 or newer is needed: install driver 525 or newer: computing on the CPU");
        assertEquals(1, tell("--device", "cuda").code);
        StandIn.set("version", 13_000);
        StandIn.set("devices", 0);
        assertTells(tell(), "inkstone: the NVIDIA driver .*: computing on the CPU");
    }

    @Test void whatDoesNotFitIsOnTheCpuAndSaidSo() throws Exception {
        StandIn.memory(Footprint.of(model, most -> most, tokens -> tokens, DType.F32).bytes(3) + 100_000);
        assertTells(tell(), "inkstone: the model takes 0\\.3 GB with its cache, of the 0\\.3 GB of .+ 0\\.3 GB are free: 3 of 5 layers on the GPU, the rest on the CPU");
        var refused = tell("--gpu-layers", "5");
        assertEquals(1, refused.code);
        assertTrue(refused.err.matches("inkstone: the model takes .* are free; --gpu-layers 3 would fit, or a smaller --context, or .*\n"), refused.err);
        StandIn.memory(200L << 20);
        assertTells(tell(), "inkstone: the model takes .* are free: computing on the CPU");
        assertTrue(tell("--device", "cuda").err.contains("; use --device cpu, or a smaller --context"));
    }
}
