package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class NoiseGeneratorTest {
    /** torch.manual_seed(42); torch.randn(16); the first eight digits are well known. */
    @Test void cpuIsPyTorchs() {
        assertArrayEquals(new float[]{1.9269151f, 1.4872841f, 0.9007172f, -2.1055212f, 0.67841834f, -1.2345449f, -0.04306743f, -1.6046669f, -0.7521359f, 1.6487229f, -0.39247861f, -1.4036068f,
            -0.7278814f, -0.55943f, -0.76883887f, 0.7624455f}, NoiseGenerator.CPU.source(42).normal(16), 1e-6f);
        // Not a multiple of 16: the last 16 are drawn again.
        assertArrayEquals(new float[]{1.92691512f, 1.48728412f, 0.9007172f, -2.10552121f, 0.67841834f, 1.07831766f, 0.80080047f, 1.68062049f, 0.35585983f, -0.68662304f, -0.49335632f, 0.24148785f,
            -1.11090404f, 0.04175949f, -0.25157539f, 0.85985848f, -0.30972688f, -0.39571043f, 0.8034094f, -0.62159534f, -0.59200038f}, NoiseGenerator.CPU.source(42).normal(21), 1e-6f);
        // More than one state of the twister.
        float[] many = NoiseGenerator.CPU.source(7).normal(1300);
        assertArrayEquals(new float[]{-0.50642496f, -0.83088499f, -0.01235331f, -0.1421766f}, Arrays.copyOfRange(many, 1296, 1300), 1e-6f);
    }

    /** torch.manual_seed(0); torch.randn(5), and seed 42: fewer than 16 are drawn in pairs, whose second waits for the next call. */
    @Test void cpuDrawsFewInPairs() {
        assertArrayEquals(new float[]{1.5410f, -0.2934f, -2.1788f, 0.5684f, -1.0845f}, NoiseGenerator.CPU.source(0).normal(5), 1e-4f);
        var source = NoiseGenerator.CPU.source(42);
        assertArrayEquals(new float[]{0.3367f, 0.1288f, 0.2345f}, source.normal(3), 1e-4f);
        assertArrayEquals(new float[]{0.2303f, -1.1229f, -0.1863f}, source.normal(3), 1e-4f);
    }

    @Test void cpuKnowsTheLowHalfOfASeedOnly() { assertArrayEquals(NoiseGenerator.CPU.source(5).normal(20), NoiseGenerator.CPU.source((9L << 32) + 5).normal(20)); }

    @Test void cudaIsPyTorchs() {
        // Documented for seed 0 by A1111's web UI, which has the same numbers from its NV generator.
        assertArrayEquals(new float[]{-0.92466259f, -0.42534415f, -2.6438457f, 0.14518388f, -0.12086647f, -0.57972564f, -0.62285122f, -0.32838709f, -1.07454231f, -0.36314407f, -1.67105067f,
            2.26550497f}, NoiseGenerator.CUDA.source(0).normal(12), 1e-6f);
        var source = NoiseGenerator.CUDA.source(42);
        assertArrayEquals(new float[]{0.19401887f, 2.161374f, -0.17205061f, 0.84906006f}, Arrays.copyOf(source.normal(16_384), 4), 1e-6f);
        assertArrayEquals(new float[]{0.13913755f, -0.10821585f, -0.717422f, 0.7566486f}, source.normal(4), 1e-6f);
        var wide = NoiseGenerator.CUDA.source((7L << 32) + 9);
        wide.normal(1);
        wide.normal(1);
        assertArrayEquals(new float[]{-0.49224713f, -0.05212506f, -0.01582054f}, wide.normal(3), 1e-6f);
    }

    /** Made by a program of Python's whole numbers; a seed must mean the same picture in every version of ours. */
    @Test void oursStaysAsItIs() {
        assertArrayEquals(new float[]{-1.3510921f, 0.27019209f, -0.21075414f, 0.32815555f, -1.3808544f, 2.6253736f}, NoiseGenerator.INKSTONE.source(42).normal(6), 1e-6f);
        assertArrayEquals(new float[]{-0.91830782f, -0.50261137f, -1.3223071f, 1.5765166f, 0.022224514f}, NoiseGenerator.INKSTONE.source((7L << 32) + 9).normal(5), 1e-6f);
    }

    @Test void everyGeneratorIsNormal() {
        int n = 200_000;
        for (var generator : NoiseGenerator.values()) {
            float[] values = generator.source(3).normal(n);
            double sum = 0, squares = 0, fourth = 0, neighbours = 0;
            for (int i = 0; i < n; i++) {
                double v = values[i];
                sum += v;
                squares += v * v;
                fourth += v * v * v * v;
                neighbours += v * values[(i + 1) % n];
            }
            // Within four standard errors.
            assertEquals(0, sum / n, 4 / Math.sqrt(n), generator.id());
            assertEquals(1, squares / n, 4 * Math.sqrt(2.0 / n), generator.id());
            assertEquals(3, fourth / n, 4 * Math.sqrt(96.0 / n), generator.id());
            assertEquals(0, neighbours / n, 4 / Math.sqrt(n), generator.id());
        }
    }

    @Test void streamsGoOnAndSeedsDiffer() {
        for (var generator : NoiseGenerator.values()) {
            var source = generator.source(11);
            float[] first = source.normal(32), second = source.normal(32);
            assertNotEquals(first[0], second[0]);
            assertArrayEquals(first, generator.source(11).normal(32));
            assertNotEquals(first[0], generator.source(12).normal(32)[0]);
            assertEquals(generator, NoiseGenerator.of(generator.label()));
        }
    }

    @Test void channelsAreDrawnOneAfterTheOther() {
        float[] drawn = NoiseGenerator.CUDA.source(1).normal(12), rows = NoiseGenerator.CUDA.source(1).channelsLast(3).normal(12);
        for (int pixel = 0; pixel < 4; pixel++) for (int c = 0; c < 3; c++) assertEquals(drawn[c * 4 + pixel], rows[pixel * 3 + c]);
    }
}
