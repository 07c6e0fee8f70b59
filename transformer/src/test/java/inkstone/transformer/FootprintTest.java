package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of a model's memory before it is opened, against what it has. */
class FootprintTest {
    @ParameterizedTest
    @ValueSource(strings = {"gemma3", "deepseek3", "gptneox-parallel", "llama4", "mamba2", "gemma4", "granitehybrid", "qwen3next", "glm4moe"})
    void isThatOfTheModel(String name, @TempDir Path folder) throws IOException {
        var file = folder.resolve("model.gguf");
        RandomModelsTest.model(name).write(TestData.folder("golden-logits").resolve("qwen2").resolve("model.gguf"), file);
        var footprint = Footprint.of(file, most -> Math.min(most, 64), tokens -> 3 * tokens, DType.F16);
        try (var backend = new CpuBackend(1); var model = Models.open(file, backend); var cache = new KvCache(backend, model.config(), DType.F16, 192, 64)) {
            assertEquals(model.config().layers(), footprint.layers());
            long weights = footprint.weights(footprint.layers()) + footprint.rest();
            if (name.equals("glm4moe")) assertTrue(weights < model.bytes(), "without the layer that guesses ahead"); else assertEquals(model.bytes(), weights);
            assertEquals(cache.bytes(), Arrays.stream(footprint.caches()).sum());
        }
    }

    @Test void layersFillTheMemoryFromTheLastOn() {
        var footprint = new Footprint(new long[] {100, 100, 100}, new long[] {10, 10, 10}, 50, 70, false, 5);
        assertEquals(455, footprint.bytes());
        assertEquals(275, footprint.bytes(2));
        assertEquals(250, footprint.weights(2));
        for (int[] fits : new int[][] {{455, 3}, {454, 2}, {275, 2}, {274, 1}, {165, 1}, {164, 0}, {0, 0}}) assertEquals(fits[1], footprint.fitting(fits[0]), fits[0] + " bytes");
        assertTrue(footprint.goes("blk.1.ffn_up.weight", 2) && footprint.goes("blk.2.attn_q.bias", 1) && footprint.goes("output_norm.weight", 1) && footprint.goes("output.weight", 1));
        assertFalse(footprint.goes("blk.0.ffn_up.weight", 2) || footprint.goes("token_embd.weight", 2) || footprint.goes("blk.x.weight", 2) || footprint.goes("rope_freqs.weight", 2));
        assertTrue(new Footprint(new long[3], new long[3], 0, 0, true, 0).goes("token_embd.weight", 1));
    }

    @Test void modelsThatMakeVectorsHaveOne() throws IOException {
        var footprint = Footprint.of(TestData.folder("golden-logits").resolve("bert").resolve("model.gguf"), most -> most, _ -> 0, DType.F16);
        assertTrue(footprint.layers() > 0 && footprint.weights(footprint.layers()) > 0 && Arrays.stream(footprint.caches()).sum() == 0);
    }
}
