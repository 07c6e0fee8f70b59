package inkstone.diffusion.vae;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Scope;
import inkstone.tensor.SeededWeights;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class QuantizerTest {
    @Test void finiteScalarsRoundToTheirLevelsAndBack() {
        try (var backend = new ReferenceBackend(); var scope = Scope.inference(backend)) {
            var quantizer = new Quantizer.Finite(List.of(8, 5));
            assertEquals(40, quantizer.codes());
            float[] z = SeededWeights.input("z", 30, 2400);
            var quantized = quantizer.quantize(scope.floats(z, 1, 30, 40, 2));
            float[] latents = quantized.latents().toFloats();
            assertArrayEquals(quantizer.latents(scope, quantized.codes()).toFloats(), latents, 1e-6f);
            var first = new HashSet<Integer>();
            var second = new HashSet<Integer>();
            for (int i = 0; i < latents.length; i += 2) {
                first.add(Math.round(4 * latents[i]));
                second.add(Math.round(2 * latents[i + 1]));
                assertEquals(4 * latents[i], Math.round(4 * latents[i]), 1e-5);
            }
            assertEquals(new HashSet<>(List.of(-4, -3, -2, -1, 0, 1, 2, 3)), first);
            assertEquals(new HashSet<>(List.of(-2, -1, 0, 1, 2)), second);
            assertThrows(IllegalArgumentException.class, () -> quantizer.latents(scope, new int[] {40}));
            assertThrows(IllegalArgumentException.class, () -> new Quantizer.Finite(List.of(1)));
        }
    }

    /** The gradient of rounded latents is that of the bounded ones: f'(z) = factor (1 - tanh²(z + shift)), here of 5 levels without a shift. */
    @Test void gradientsPassThroughTheRounding() {
        try (var backend = new ReferenceBackend(); var scope = Scope.training(backend)) {
            var z = scope.floats(new float[] {0.3f, -1.2f}, 1, 1, 2, 1).learning();
            scope.backward(new Quantizer.Finite(List.of(5)).quantize(z).latents().sum());
            float[] g = z.gradient().toFloats();
            for (int i = 0; i < 2; i++) assertEquals(2 * 1.001 * (1 - Math.pow(Math.tanh(i == 0 ? 0.3 : -1.2), 2)) / 2, g[i], 1e-5);
        }
    }

    @Test void aBookGivesTheNearestVectorAndDrawsBothTogether() {
        try (var backend = new ReferenceBackend(); var parameters = new Parameters(backend); var scope = Scope.training(backend)) {
            parameters.add("codebook.weight", new float[] {0, 0, 1, 1, -2, 0.5f}, 3, 2);
            var book = Quantizer.Codebook.of(new LearningWeights(new SeededWeights(backend), parameters, _ -> true), 3, 2);
            var z = scope.floats(new float[] {0.9f, 0.8f, -1.5f, 0.5f, 0.1f, 0}, 1, 1, 3, 2).learning();
            var quantized = book.quantize(z);
            assertArrayEquals(new int[] {1, 2, 0}, quantized.codes());
            assertArrayEquals(new float[] {1, 1, -2, 0.5f, 0, 0}, quantized.latents().toFloats(), 1e-6f);
            double squares = 0.1 * 0.1 + 0.2 * 0.2 + 0.5 * 0.5 + 0.1 * 0.1;
            assertEquals(1.25 * squares / 6, quantized.loss().toFloats()[0], 1e-6);
            scope.backward(quantized.loss());
            var g = new float[6];
            backend.download(java.lang.foreign.MemorySegment.ofArray(g), parameters.tensors().get("codebook.weight").gradient().data());
            assertArrayEquals(new float[] {2 * -0.1f / 6, 0, 2 * 0.1f / 6, 2 * 0.2f / 6, 2 * -0.5f / 6, 0}, g, 1e-6f);
            assertArrayEquals(new float[] {-0.5f * 0.1f / 6, -0.5f * 0.2f / 6, 0.5f * 0.5f / 6, 0, 0.5f * 0.1f / 6, 0}, z.gradient().toFloats(), 1e-6f);
            assertEquals(3, quantized.used(3), 1e-9);
            assertTrue(new Quantizer.Quantized(null, new int[100], null).used(3) < 1.0001);
        }
    }

    @Test void allCodesOfFiniteScalarsAreDifferent() {
        try (var backend = new ReferenceBackend(); var scope = Scope.inference(backend)) {
            var quantizer = new Quantizer.Finite(List.of(4, 3, 5));
            var codes = new int[quantizer.codes()];
            Arrays.setAll(codes, i -> i);
            float[] latents = quantizer.latents(scope, codes).toFloats();
            var seen = new HashSet<List<Float>>();
            for (int i = 0; i < codes.length; i++) seen.add(List.of(latents[3 * i], latents[3 * i + 1], latents[3 * i + 2]));
            assertEquals(60, seen.size());
        }
    }
}
