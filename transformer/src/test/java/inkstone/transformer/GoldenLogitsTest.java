package inkstone.transformer;

import static inkstone.transformer.TestData.floats;
import static inkstone.transformer.TestData.folder;
import static inkstone.transformer.TestData.ints;
import static inkstone.transformer.TestData.largestDifference;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.reference.ReferenceBackend;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Logits of tiny random models of every family as llama.cpp computed them (its commit, and the script that made the models, are named in the folder's SOURCE.txt), by
 * the packed forward and through the cache. That engine is within 5e-5 of a float64 evaluation of these files; a forgotten feature moves logits by 2e-2 at least.
 */
class GoldenLogitsTest {
    private static final double TOLERANCE = 5e-4;

    @ParameterizedTest
    @ValueSource(strings = {"llama-linear", "llama3-rope", "mixtral", "qwen2", "qwen3", "phi3", "gpt2", "gemma2", "stablelm", "phi2", "falcon", "granite", "gptoss", "gptoss-mxfp4",
        "deepseek2-lite", "mamba", "rwkv7"})
    void logitsMatchLlamaCpp(String name) throws IOException {
        var file = folder("golden-logits").resolve(name);
        int[] tokens = ints(file.resolve("tokens.txt"));
        float[] expected = floats(file.resolve("logits.f32"));
        for (var device : new String[] {"reference", "cpu"}) {
            try (var backend = TestData.backend(device); var model = Models.open(file.resolve("model.gguf"), backend)) {
                double packed = largestDifference(expected, packed(model, tokens, backend)), cached = largestDifferenceThroughTheCache(model, tokens, expected);
                assertTrue(packed < TOLERANCE && cached < TOLERANCE, "%s on %s: off by %s packed, %s through the cache".formatted(name, device, packed, cached));
                if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%-16s %-9s packed %.1e, through the cache %.1e%n", name, device, packed, cached);
            }
        }
    }

    /** Models that use most kernels between them; tagged, so that the build runs them once for each vector width, and once without fused multiply-add. */
    @Tag("widths") @ParameterizedTest @ValueSource(strings = {"qwen3", "gemma2", "gptoss-mxfp4", "deepseek2-lite", "mamba", "rwkv7"})
    void logitsAreThoseOfEveryVectorWidth(String name) throws IOException {
        var file = folder("golden-logits").resolve(name);
        int[] tokens = ints(file.resolve("tokens.txt"));
        try (var backend = TestData.backend("cpu"); var model = Models.open(file.resolve("model.gguf"), backend)) {
            double difference = largestDifferenceThroughTheCache(model, tokens, floats(file.resolve("logits.f32")));
            assertTrue(difference < TOLERANCE, "off by " + difference);
        }
    }

    private static float[] packed(LanguageModel model, int[] tokens, Backend backend) {
        try (var scope = Scope.inference(backend)) {
            return model.model().logits(model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length))).toFloats();
        }
    }

    /** A prompt in chunks of 7 and 9, and then a token at a time; of a chunk the last row's logits are seen. */
    private static double largestDifferenceThroughTheCache(LanguageModel model, int[] tokens, float[] expected) {
        int vocabulary = model.model().config().vocabularySize();
        double largest = 0;
        try (var engine = new Engine(model, 64, 64, DType.F32)) {
            var sequence = engine.sequence(tokens.length);
            sequence.restart(tokens);
            assertTrue(sequence.reserve(tokens.length));
            while (sequence.pending() > 0) {
                float[] logits = engine.step(List.of(new Engine.Run(sequence, sequence.cached() == 0 ? 7 : sequence.cached() == 7 ? 9 : 1, 1))).values();
                int row = sequence.cached() - 1;
                for (int i = 0; i < vocabulary; i++) largest = Math.max(largest, Math.abs((double) logits[i] - expected[row * vocabulary + i]));
            }
        }
        return largest;
    }

    /** Every family may be driven by a session, whatever its cache holds: what is told greedily is the likeliest token of each row of the packed forward. */
    @ParameterizedTest
    @ValueSource(strings = {"gemma2", "gptoss", "deepseek2-lite", "mamba", "rwkv7"})
    void aSessionTellsWhatThePackedForwardSays(String name) throws IOException {
        var file = folder("golden-logits").resolve(name);
        int[] prompt = ints(file.resolve("tokens.txt"));
        try (var backend = TestData.backend("cpu"); var model = Models.open(file.resolve("model.gguf"), backend); var session = Session.open(model, 64, DType.F32)) {
            int vocabulary = model.model().config().vocabularySize();
            int[] told = session.generate(Fakes.greedy(prompt, 12), piece -> { }).tokens();
            var all = new int[prompt.length + told.length];
            System.arraycopy(prompt, 0, all, 0, prompt.length);
            System.arraycopy(told, 0, all, prompt.length, told.length);
            float[] logits = packed(model, all, backend);
            for (int i = 0; i < told.length; i++) {
                int row = (prompt.length - 1 + i) * vocabulary, best = 0;
                for (int token = 1; token < vocabulary; token++) if (logits[row + token] > logits[row + best]) best = token;
                assertEquals(best, told[i], name + ", token " + i);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"reference", "cpu"})
    void embeddingsMatchLlamaCpp(String device) throws IOException {
        var file = folder("golden-logits").resolve("bert");
        try (var backend = TestData.backend(device); var bert = Models.openEmbedder(file.resolve("model.gguf"), backend);
                var scheduler = EmbeddingScheduler.start(bert, bert.config().contextLength(), 4)) {
            assertEquals(Pooling.MEAN, bert.pooling());
            int[] tokens = ints(file.resolve("tokens.txt")), others = Arrays.copyOf(tokens, 5);
            var expected = floats(file.resolve("logits.f32"));
            double length = 0;
            for (float value : expected) length += value * value;
            var vectors = scheduler.embed(List.of(others, tokens, others), bert.pooling()).join();
            assertArrayEquals(scheduler.embed(List.of(others), bert.pooling()).join().getFirst(), vectors.getLast(), 1e-6f);
            for (int i = 0; i < expected.length; i++) vectors.get(1)[i] *= (float) Math.sqrt(length);
            double difference = largestDifference(expected, vectors.get(1));
            assertTrue(difference < TOLERANCE, "off by " + difference);
            if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%-16s %-9s %.1e%n", "bert", device, difference);
            assertThrows(IllegalArgumentException.class, () -> scheduler.embed(List.of(new int[65]), Pooling.MEAN));
            var refusal = assertThrows(ModelException.class, () -> Models.openEmbedder(file.resolveSibling("qwen2").resolve("model.gguf"), backend).close()).getMessage();
            assertTrue(refusal.endsWith("embedding models of architecture \"qwen2\" are not supported; supported are: bert, nomic-bert"), refusal);
        }
    }

    @Test void otherArchitecturesAreRefusedWithTheKnownOnes() throws IOException {
        var file = folder("golden-logits").resolve("bert").resolve("model.gguf");
        try (var backend = new ReferenceBackend()) {
            var refusal = assertThrows(ModelException.class, () -> Models.open(file, backend).close()).getMessage();
            assertTrue(refusal.contains("a model of architecture \"bert\" makes vectors of texts and cannot write; use it with serve or embed"), refusal);
        }
    }
}
