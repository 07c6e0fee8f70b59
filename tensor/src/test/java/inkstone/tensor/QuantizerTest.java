package inkstone.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every quantized format, and that none errs more than ggml's. */
class QuantizerTest {
    private static final long SEED = 4;
    private static final int ROWS = 64, COLUMNS = 1024;

    static Stream<DType> quantized() { return Arrays.stream(DType.values()).filter(DType::isQuantized); }

    private static float[] stored(DType dtype, float[] values, float[] importance) {
        var bytes = MemorySegment.ofArray(new byte[(int) dtype.bytes(values.length)]);
        Blocks.fromFloats(dtype, values, importance, bytes, 0, values.length);
        var read = new float[values.length];
        Blocks.toFloats(dtype, bytes, 0, read, values.length);
        return read;
    }

    /**
     * The largest error of a format as a part of the block's largest magnitude: a step of the levels, half of it for rounding and half for a scale shared with
     * others.
     */
    private static double step(DType dtype) {
        return switch (dtype) {
            case Q8_0 -> 1 / 127.0;
            case Q6_K -> 1 / 24.0;
            case Q5_0, Q5_1, Q5_K -> 1 / 10.0;
            case Q4_0, Q4_1, Q4_K, IQ4_NL, IQ4_XS -> 1 / 5.0;
            case MXFP4 -> 1 / 3.0;
            case Q3_K -> 1 / 2.0;
            default -> 1;
        };
    }

    @ParameterizedTest @MethodSource("quantized") void errorsStayBelowAStep(DType dtype) {
        var random = new Random(SEED);
        for (int n = 0; n < 400; n++) {
            var x = new float[dtype.blockSize];
            double size = Math.pow(10, random.nextInt(-3, 4)), largest = 0;
            int shape = random.nextInt(4);
            var importance = random.nextBoolean() ? null : new float[x.length];
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) (size * switch (shape) {
                    case 0 -> random.nextGaussian();
                    case 1 -> random.nextDouble(2, 3);
                    case 2 -> -random.nextDouble();
                    default -> Math.pow(random.nextGaussian(), 3);
                });
                largest = Math.max(largest, Math.abs(x[i]));
                if (importance != null) importance[i] = 0.5f + random.nextFloat();
            }
            var y = stored(dtype, x, importance);
            for (int i = 0; i < x.length; i++) {
                assertTrue(Math.abs(x[i] - y[i]) <= largest * step(dtype), "seed " + SEED + ", block " + n + ", shape " + shape + ": " + x[i] + " became " + y[i] + ", largest " + largest);
            }
        }
    }

    @ParameterizedTest @MethodSource("quantized") void zerosStayZeros(DType dtype) {
        for (var importance : new float[][] {null, new float[dtype.blockSize]}) for (float y : stored(dtype, new float[dtype.blockSize], importance)) assertEquals(0f, Math.abs(y));
    }

    @ParameterizedTest @MethodSource("quantized") void whatIsBelowEveryScaleBecomesSmall(DType dtype) {
        for (float tiny : new float[] {Float.MIN_VALUE, 1e-40f, -1e-30f, 1e-20f, 1e-9f}) {
            var x = new float[dtype.blockSize];
            Arrays.fill(x, 3, 9, tiny);
            for (float y : stored(dtype, x, null)) assertTrue(Math.abs(y) <= 1e-5, () -> tiny + " became " + y);
        }
    }

    @ParameterizedTest @MethodSource("quantized") void constantRowsKeepTheirValue(DType dtype) {
        for (float value : new float[] {1, -1, 0.37f, -2048, 3e-3f}) {
            var x = new float[dtype.blockSize];
            Arrays.fill(x, value);
            double allowed = dtype == DType.MXFP4 ? 0.2 : 0.02;                       // a power of two times 1, 1.5, 2, 3, 4 or 6 is at most a fifth away
            for (float y : stored(dtype, x, null)) assertEquals(value, y, Math.abs(value) * allowed);
        }
    }

    @ParameterizedTest @MethodSource("quantized") void hugeValuesAreStoredOrRefused(DType dtype) {
        var random = new Random(SEED);
        for (float size = 1e3f; size < 1e38f; size *= 10) {
            var x = new float[dtype.blockSize];
            for (int i = 0; i < x.length; i++) x[i] = size * (random.nextFloat() - 0.5f);
            try {
                for (float y : stored(dtype, x, null)) assertTrue(Math.abs(y) <= size * 1.5, "of magnitude " + size + " became " + y);
            } catch (IllegalArgumentException e) {
                assertTrue(size > 65504 && e.getMessage().startsWith(dtype + " cannot store a block whose scale is"), e.getMessage());
            }
        }
    }

    @ParameterizedTest @MethodSource("quantized") void notANumberAndInfinityAreRefused(DType dtype) {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            var x = new float[2 * dtype.blockSize];
            x[dtype.blockSize + 5] = bad;
            var e = assertThrows(IllegalArgumentException.class, () -> stored(dtype, x, null));
            assertEquals("%s cannot store %s (element %d)".formatted(dtype, bad, dtype.blockSize + 5), e.getMessage());
        }
    }

    @Test void importanceMustBeGivenForEachValueAndNotBeNegative() {
        var x = new float[512];
        assertThrows(IllegalArgumentException.class, () -> stored(DType.Q4_K, x, new float[256]));
        for (float bad : new float[] {-1, Float.NaN, Float.POSITIVE_INFINITY}) {
            var importance = new float[512];
            importance[300] = bad;
            var e = assertThrows(IllegalArgumentException.class, () -> stored(DType.Q6_K, x, importance));
            assertEquals("importance of element 300: expected 0 or more, got " + bad, e.getMessage());
        }
    }

    @ParameterizedTest @MethodSource("quantized") void equalImportanceIsNoWorseThanNone(DType dtype) {
        var importance = new float[ROWS * COLUMNS];
        Arrays.fill(importance, 7);
        var x = samples(false);
        double with = error(x, stored(dtype, x, importance), null), without = error(x, stored(dtype, x, null), null);
        assertTrue(with <= without * 1.0001, with + " with, " + without + " without");
        for (var exact : new DType[] {DType.Q2_K, DType.Q3_K, DType.Q4_K, DType.Q5_K, DType.Q6_K, DType.IQ4_XS}) {
            if (dtype == exact) assertEquals(without, with, without * 1e-4);
        }
    }

    @ParameterizedTest @MethodSource("quantized") void blocksDoNotDependOnTheirNeighbours(DType dtype) {
        var x = samples(true);
        var all = stored(dtype, x, null);
        for (int from = 0; from < 8 * dtype.blockSize; from += dtype.blockSize) {
            var one = Arrays.copyOfRange(x, from, from + dtype.blockSize);
            assertArrayEquals(Arrays.copyOfRange(all, from, from + dtype.blockSize), stored(dtype, one, null));
        }
    }

    // ---- quality ---------------------------------------------------------------------------------------------------------------------------------------

    private static final class Uniform {
        private long state = 777;

        /** In [-1, 1). */
        float next() {
            state = state * 6364136223846793005L + 1442695040888963407L;
            return ((int) (state >>> 40) - (1 << 23)) / (float) (1 << 23);
        }
    }

    private static final float[] NEARLY_NORMAL = new float[ROWS * COLUMNS], HEAVY_TAILED = new float[ROWS * COLUMNS], IMPORTANCE = new float[ROWS * COLUMNS];

    static {
        var uniform = new Uniform();
        for (int i = 0; i < NEARLY_NORMAL.length; i++) NEARLY_NORMAL[i] = uniform.next() + uniform.next() + uniform.next() + uniform.next();
        for (int i = 0; i < HEAVY_TAILED.length; i++) {
            float u = uniform.next();
            HEAVY_TAILED[i] = u * u * u * u * u;
        }
        for (int i = 0; i < COLUMNS; i++) {
            float u = uniform.next();
            IMPORTANCE[i] = u * u * u * u;
        }
        for (int row = 1; row < ROWS; row++) System.arraycopy(IMPORTANCE, 0, IMPORTANCE, row * COLUMNS, COLUMNS);
    }

    private static float[] samples(boolean heavyTailed) { return heavyTailed ? HEAVY_TAILED : NEARLY_NORMAL; }

    private static double error(float[] x, float[] y, float[] importance) {
        double error = 0, size = 0;
        for (int i = 0; i < x.length; i++) {
            double weight = importance == null ? 1 : importance[i];
            error += weight * Math.pow((double) x[i] - y[i], 2);
            size += weight * Math.pow(x[i], 2);
        }
        return error / size;
    }

    /**
     * Normalised mean squared errors of ggml 0.18.1 (llama.cpp commit d32676d77, ggml_quantize_chunk) on the same rows: nearly normal ones without and with
     * importance, heavy-tailed ones without and with it; errors are weighted by the importance where there is one.
     */
    @ParameterizedTest @CsvSource(delimiter = ' ', textBlock = """
        Q4_0 6.6916e-03 5.1050e-03 6.6554e-03 4.9798e-03
        Q4_1 5.7487e-03 3.4817e-03 9.2228e-03 4.0527e-03
        Q5_0 1.6520e-03 1.2618e-03 1.7684e-03 1.3619e-03
        Q5_1 1.3511e-03 8.3252e-04 2.1424e-03 1.0444e-03
        Q2_K 8.2961e-02 4.6184e-02 1.5734e-01 4.5873e-02
        Q3_K 2.1296e-02 1.5584e-02 1.8306e-02 1.2815e-02
        Q4_K 4.7584e-03 3.6062e-03 5.5509e-03 4.2461e-03
        Q5_K 1.2174e-03 9.5557e-04 1.6045e-03 1.2491e-03
        Q6_K 2.8770e-04 2.2077e-04 3.2745e-04 2.5983e-04
        IQ4_NL 5.4233e-03 4.3876e-03 5.2554e-03 4.0752e-03
        IQ4_XS 5.5053e-03 4.4858e-03 5.3450e-03 4.1677e-03
        """)
    void noFormatErrsMoreThanGgml(DType dtype, double normal, double normalWeighted, double heavy, double heavyWeighted) {
        double[] ggml = {normal, normalWeighted, heavy, heavyWeighted};
        for (int i = 0; i < 4; i++) {
            var x = samples(i >= 2);
            var importance = i % 2 == 0 ? null : IMPORTANCE;
            double ours = error(x, stored(dtype, x, importance), importance);
            assertTrue(ours <= ggml[i] * 1.0001, "case " + i + ": " + ours + ", ggml " + ggml[i]);
        }
    }
}
