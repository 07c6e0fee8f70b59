package inkstone.diffusion.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import inkstone.tensor.CountedWeights;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.Scope;
import inkstone.tensor.SeededWeights;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** Numbers of a program in numpy, written from the paper; the weights are functions of their names. */
class T5EncoderTest {
    private static final Predicate<String> NO_BIAS = name -> !name.endsWith(".bias");

    @Test void hiddenStatesAreThoseOfAnotherImplementation() {
        for (var backend : List.of(new ReferenceBackend(), new CpuBackend(2))) try (backend; var scope = Scope.inference(backend)) {
            var model = T5Encoder.of(new T5Config(11, 24, 2, 3, 10, 40), new SeededWeights(backend, NO_BIAS, new LinkedHashMap<>()));
            float[] y = model.forward(scope.ints(3, 7, 1, 0, 0, 9, 10, 2, 2, 5, 1, 0), 2, scope.ints(5, 6)).toFloats();
            double sum = 0, magnitude = 0;
            for (float v : y) { sum += v; magnitude += Math.abs(v); }
            assertEquals(288, y.length);
            assertEquals(-15.42823, sum, 2e-3, backend.name());
            assertEquals(235.1319, magnitude, 2e-3, backend.name());
            float[] first = {-0.104868f, -0.903521f, -2.1362f, 0.466839f, -0.352228f, 0.193955f, 0.875432f, 0.84874f}, last = {2.3829f, -1.00408f, -0.0402137f, 0.19983f};
            for (int i = 0; i < first.length; i++) assertEquals(first[i], y[i], 1e-4, backend.name());
            for (int i = 0; i < last.length; i++) assertEquals(last[i], y[y.length - last.length + i], 1e-4, backend.name());
        }
    }

    @Test void distancesHaveTheClassesOfThePaper() {
        int[] distances = {-200, -128, -100, -50, -20, -9, -8, -7, 0, 1, 8, 15, 16, 64, 127, 128}, classes = {15, 15, 15, 13, 10, 8, 8, 7, 0, 17, 24, 25, 26, 30, 31, 31};
        for (int i = 0; i < distances.length; i++) assertEquals(classes[i], T5Encoder.distanceClass(distances[i]), "distance " + distances[i]);
    }

    /** 4.76 billion, as published. */
    @Test void xxlHasAsManyParametersAsPublished() {
        var counted = new CountedWeights(new CountingBackend(false), NO_BIAS, new LinkedHashMap<>());
        T5Encoder.of(T5Config.XXL, counted);
        assertEquals(4_762_310_656L, counted.elements());
    }
}
