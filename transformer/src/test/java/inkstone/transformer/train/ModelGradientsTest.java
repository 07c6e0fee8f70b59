package inkstone.transformer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.CausalModel;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.TestData;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole models of many families: the gradient of every tensor against finite differences, and the ways of computing it against each other. */
class ModelGradientsTest {
    private final Backend backend = new CpuBackend(2);
    private final Parameters parameters = new Parameters(backend);

    @AfterEach void close() {
        parameters.close();
        backend.close();
    }

    private LanguageModel learning(Path file) throws IOException { return Models.open(file, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL)); }

    /** Two sequences; the first tokens of the second are given, not learned. */
    private static TokenBatch batch(int vocabulary) {
        int[] tokens = IntStream.range(0, 30).map(i -> 3 + i * 37 % Math.min(200, vocabulary - 3)).toArray(), targets = new int[30];
        for (int i = 0; i < 30; i++) targets[i] = i == 11 || i == 29 || i >= 12 && i < 17 ? -1 : tokens[i + 1];
        return new TokenBatch(tokens, targets, new int[] {12, 18});
    }

    private float loss(CausalModel model, TokenBatch batch) {
        try (var scope = Scope.inference(backend)) {
            return LanguageLoss.of(model, scope, batch, 1f / batch.learned()).toFloats()[0];
        }
    }

    private void gradients(CausalModel model, TokenBatch batch, Scope scope) {
        parameters.clearGradients();
        scope.backward(LanguageLoss.of(model, scope, batch, 1f / batch.learned()));
    }

    private float[] floats(Tensor tensor) {
        var values = new float[(int) tensor.shape().elements()];
        backend.download(MemorySegment.ofArray(values), tensor.data());
        return values;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3-rope", "gpt2", "qwen2", "qwen3", "gemma2", "mixtral", "phi3", "phi2", "falcon", "stablelm", "granite", "gptoss", "deepseek2-lite"})
    void everyTensorsGradientIsTheSlopeOfTheLoss(String family) throws IOException {
        try (var model = learning(TestData.folder("golden-logits").resolve(family).resolve("model.gguf"))) {
            var batch = batch(model.config().vocabularySize());
            try (var scope = Scope.training(backend)) { gradients(model.model(), batch, scope); }
            for (var entry : parameters.tensors().entrySet()) {
                var parameter = entry.getValue();
                float[] before = floats(parameter), gradient = floats(parameter.gradient());
                double length = 0, size = 0;
                for (int i = 0; i < before.length; i++) {
                    length += gradient[i] * gradient[i];
                    size += before[i] * before[i];
                }
                length = Math.sqrt(length);
                if (length < 1e-4) continue;                                                             // keys' biases move all scores alike; the loss does not feel them
                /* A step that changes a router's choice says nothing: then a smaller one. */
                double step = Math.min(0.01 * Math.sqrt(size) + 1e-3, 0.02 / length), slope = slope(model.model(), batch, parameter, step / length);
                for (int smaller = 0; smaller < 4 && Math.abs(slope - length) > 0.02 * length; smaller++) slope = slope(model.model(), batch, parameter, (step /= 4) / length);
                assertEquals(length, slope, 0.02 * length, family + " " + entry.getKey());
            }
        }
    }

    /** Slope of the loss along a parameter's gradient, whose length is 1 / scale · step. */
    private double slope(CausalModel model, TokenBatch batch, Tensor parameter, double scale) {
        float[] before = floats(parameter), gradient = floats(parameter.gradient()), moved = new float[before.length];
        double[] losses = new double[2];
        double length = 0;
        for (float g : gradient) length += g * g;
        for (int side = 0; side < 2; side++) {
            for (int i = 0; i < before.length; i++) moved[i] = before[i] + (float) ((side == 0 ? -scale : scale) * gradient[i]);
            backend.upload(parameter.data(), MemorySegment.ofArray(moved));
            losses[side] = loss(model, batch);
        }
        backend.upload(parameter.data(), MemorySegment.ofArray(before));
        return (losses[1] - losses[0]) / (2 * scale * Math.sqrt(length));
    }

    @Test void computingLayersAgainChangesNothing() throws IOException {
        try (var model = learning(TestData.stories())) {
            var batch = batch(model.config().vocabularySize());
            try (var scope = Scope.training(backend)) { gradients(model.model(), batch, scope); }
            var kept = parameters.tensors().values().stream().map(tensor -> floats(tensor.gradient())).toList();
            long bytes;
            try (var scope = Scope.recomputing(backend)) {
                gradients(model.model(), batch, scope);
                bytes = scope.bytes();
            }
            var again = parameters.tensors().values().stream().map(tensor -> floats(tensor.gradient())).toList();
            for (int i = 0; i < kept.size(); i++) assertArrayEquals(kept.get(i), again.get(i));
            assertTrue(bytes > 0);
        }
    }

    /** A batch of two sequences side by side, and one after the other: sequences do not see each other. */
    @Test void packingChangesNothing() throws IOException {
        try (var model = learning(TestData.stories())) {
            var both = batch(512);
            var first = new TokenBatch(Arrays.copyOf(both.tokens(), 12), Arrays.copyOf(both.targets(), 12), new int[] {12});
            var second = new TokenBatch(Arrays.copyOfRange(both.tokens(), 12, 30), Arrays.copyOfRange(both.targets(), 12, 30), new int[] {18});
            double sum = loss(model.model(), first) * first.learned() + loss(model.model(), second) * second.learned();
            assertEquals(sum / both.learned(), loss(model.model(), both), 1e-5);
        }
    }
}
