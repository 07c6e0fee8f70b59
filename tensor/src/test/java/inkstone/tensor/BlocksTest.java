package inkstone.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Expected bytes and hashes were made by ggml: a C driver with the generator of {@link Samples} called its functions and hashed what they wrote with 64-bit FNV-1a.
 * Q8_0, Q4_0, F16 and BF16: ggml 0.21.0 (commit d99724f2, gcc 12.2 -O2 -mf16c), quantize_row_*_ref, GGML_FP32_TO_FP16 and GGML_FP32_TO_BF16.
 * Everything else: ggml 0.18.1 (llama.cpp commit d32676d77, gcc 12.2 -O3), ggml_quantize_chunk without importance and the to_float of each type.
 */
class BlocksTest {
    /** Blocks of 32 over 40 binary orders of magnitude, every seventh of small multiples full of ties, every thousandth zero. */
    private static final class Samples {
        private long state = 12345;

        private float next() {
            state = state * 6364136223846793005L + 1442695040888963407L;
            return ((int) (state >>> 40) - (1 << 23)) / (float) (1 << 23);
        }

        float[] block(int i) {
            float scale = Math.scalb(1f, i % 40 - 28);
            var x = new float[32];
            for (int j = 0; j < 32; j++) x[j] = next() * scale;
            if (i % 7 == 0) for (int j = 0; j < 32; j++) x[j] = (int) (x[j] * 16 / scale) * scale / 4;
            return i % 1000 == 0 ? new float[32] : x;
        }

        /** Any bytes, but halves below 2 in magnitude, so that none is infinite: {@code halves} are where they begin. */
        byte[] encoded(DType dtype, int... halves) {
            var bytes = new byte[dtype.blockBytes];
            for (int i = 0; i < bytes.length; i++) {
                state = state * 6364136223846793005L + 1442695040888963407L;
                bytes[i] = (byte) (state >>> 56);
            }
            for (int half : halves) bytes[half + 1] &= (byte) 0xbf;
            return bytes;
        }
    }

    private static byte[] bytes(DType dtype, float... values) {
        var bytes = new byte[(int) dtype.bytes(values.length)];
        Blocks.fromFloats(dtype, values, MemorySegment.ofArray(bytes), 0, values.length);
        return bytes;
    }

    private static float[] floats(DType dtype, byte[] bytes, int count) {
        var values = new float[count];
        Blocks.toFloats(dtype, MemorySegment.ofArray(bytes), 0, values, count);
        return values;
    }

    private static String hash(DType dtype) {
        var samples = new Samples();
        long hash = 0x14650FB0739D0383L;
        for (int i = 0; i < 100_000; i++) for (byte b : bytes(dtype, samples.block(i))) hash = (hash ^ b & 255) * 1099511628211L;
        return HexFormat.of().toHexDigits(hash);
    }

    @Test void hundredThousandBlocksEqualGgml() {
        assertEquals("61235ae2c44c15df", hash(DType.Q8_0));
        assertEquals("16ae82cafa50ef91", hash(DType.Q4_0));
        assertEquals("1a7c84b86c654d93", hash(DType.Q4_1));
        assertEquals("77216a8750e313e5", hash(DType.Q5_0));
        assertEquals("3e6da5d7e1e97958", hash(DType.Q5_1));
        assertEquals("c356e3f7e22f5dcd", hash(DType.MXFP4));
        assertEquals("a33727193f7330ea", hash(DType.F16));
        assertEquals("0b102cab8a1542d0", hash(DType.BF16));
    }

    /** The bits of the floats in 2,000 blocks of random bytes. */
    private static String readHash(DType dtype, int... halves) {
        var samples = new Samples();
        long hash = 0x14650FB0739D0383L;
        for (int i = 0; i < 2_000; i++) {
            for (float value : floats(dtype, samples.encoded(dtype, halves), dtype.blockSize)) {
                for (int shift = 0, bits = Float.floatToRawIntBits(value); shift < 32; shift += 8) hash = (hash ^ bits >> shift & 255) * 1099511628211L;
            }
        }
        return HexFormat.of().toHexDigits(hash);
    }

    @Test void randomBytesReadAsGgmlReadsThem() {
        assertEquals("35bfdffe8fa76dcc", readHash(DType.Q4_1, 0, 2));
        assertEquals("1ddb1084bd69691f", readHash(DType.Q5_0, 0));
        assertEquals("c551524bbe29e378", readHash(DType.Q5_1, 0, 2));
        assertEquals("e5f56d4bd74ae7c1", readHash(DType.Q2_K, 80, 82));
        assertEquals("981d8eb595efabc7", readHash(DType.Q3_K, 108));
        assertEquals("78032fc672add1c4", readHash(DType.Q4_K, 0, 2));
        assertEquals("87efee6a61b095bf", readHash(DType.Q5_K, 0, 2));
        assertEquals("313d654e07f2df53", readHash(DType.Q6_K, 208));
        assertEquals("f9a821cbdef1cc25", readHash(DType.IQ4_NL, 0));
        assertEquals("88980af6a2d250fe", readHash(DType.IQ4_XS, 0));
        assertEquals("bb041c89dc510520", readHash(DType.MXFP4));
    }

    @Test void firstBlocksEqualGgml() {
        var samples = new Samples();
        var hex = HexFormat.of();
        for (int i = 0; i <= 39; i++) {
            var x = samples.block(i);
            if (i == 0) assertEquals("0080" + "88".repeat(16), hex.formatHex(bytes(DType.Q4_0, x)), "zeros: the scale is -0");
            if (i == 7) assertEquals("04801bcad5f9ca189959dd2eef77bb08c4e4", hex.formatHex(bytes(DType.Q4_0, x)));
            if (i == 39) assertEquals("074cf5ad05615a9e433f2b5e81c829a0cea0a131c6c0b6349f189c93f636c7cee3ad", hex.formatHex(bytes(DType.Q8_0, x)));
        }
    }

    @Test void halvesAndBfloatsEqualGgmlAtTheirEdges() {
        float[] values = {0f, -0f, 65504f, Math.nextDown(65520f), 65520f, 1e9f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 6e-8f, 0x1p-25f, Math.nextUp(0x1p-25f), -1e-40f,
            1.00048828125f, 1.00146484375f, 0x1.fep127f, 3.4e38f, 1.00390625f, 1.01171875f, Float.intBitsToFloat(0x7fc00001)};
        int[] half = {0, 0x8000, 0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 0x7e00, 1, 0, 1, 0x8000, 0x3c00, 0x3c02, 0x7c00, 0x7c00, 0x3c04, 0x3c0c, 0x7e00};
        int[] bfloat = {0, 0x8000, 0x4780, 0x4780, 0x4780, 0x4e6e, 0x7f80, 0xff80, 0x7fc0, 0x3381, 0x3300, 0x3300, 0x8001, 0x3f80, 0x3f80, 0x7f7f, 0x7f80, 0x3f80, 0x3f82, 0x7fc0};
        for (int i = 0; i < values.length; i++) {
            assertEquals((short) half[i], MemorySegment.ofArray(bytes(DType.F16, values[i])).get(JAVA_SHORT_UNALIGNED, 0), "F16 of " + values[i]);
            assertEquals((short) bfloat[i], MemorySegment.ofArray(bytes(DType.BF16, values[i])).get(JAVA_SHORT_UNALIGNED, 0), "BF16 of " + values[i]);
        }
    }

    @Test void roundTripErrsByHalfAStep() {
        var random = new Random(7);
        var x = new float[320];
        for (int i = 0; i < x.length; i++) x[i] = (float) random.nextGaussian();
        assertArrayEquals(x, floats(DType.F32, bytes(DType.F32, x), x.length));
        for (var dtype : new DType[] {DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0}) {
            var y = floats(dtype, bytes(dtype, x), x.length);
            for (int block = 0; block < x.length; block += 32) {
                float largest = 0;
                for (int i = block; i < block + 32; i++) largest = Math.max(largest, Math.abs(x[i]));
                for (int i = block; i < block + 32; i++) {
                    double allowed = switch (dtype) {
                        case F16 -> Math.abs(x[i]) * 0x1p-11;
                        case BF16 -> Math.abs(x[i]) * 0x1p-8;
                        case Q8_0 -> largest / 127 * 0.5 + largest * 0x1p-11;      // the second part: the scale itself is rounded
                        default -> largest / 8 * (1 + 0x1p-10) + 1e-6;             // a whole step, as +8 does not exist
                    };
                    assertTrue(Math.abs(x[i] - y[i]) <= allowed, dtype + " element " + i + ": " + x[i] + " became " + y[i]);
                }
            }
            assertArrayEquals(bytes(dtype, y), bytes(dtype, floats(dtype, bytes(dtype, y), x.length)), dtype + ": what was stored once is stored the same again");
        }
    }

    @Test void tinyBlocksBecomeZeros() {
        var x = new float[32];
        x[3] = -1e-40f;
        for (var dtype : new DType[] {DType.Q8_0, DType.Q4_0}) for (float y : floats(dtype, bytes(dtype, x), 32)) assertEquals(0f, Math.abs(y));
    }

    @Test void whatBlocksCannotHoldIsRefused() {
        for (var dtype : new DType[] {DType.Q8_0, DType.Q4_0}) {
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 1e9f, -Float.MAX_VALUE}) {
                var x = new float[32];
                x[5] = bad;
                var e = assertThrows(IllegalArgumentException.class, () -> bytes(dtype, x));
                assertTrue(e.getMessage().startsWith(dtype + " cannot store"), e.getMessage());
            }
        }
        assertThrows(IllegalArgumentException.class, () -> bytes(DType.Q8_0, new float[31]));
        assertThrows(IllegalArgumentException.class, () -> bytes(DType.I32, 1f));
    }

    @Test void integersAndOffsetsAreRead() {
        var memory = MemorySegment.ofArray(new byte[64]);
        memory.set(JAVA_INT_UNALIGNED, 3, -7);
        memory.set(JAVA_FLOAT_UNALIGNED, 7, 1.5f);
        assertEquals(-7, Blocks.element(DType.I32, memory, 3, 0));
        assertEquals(1.5f, Blocks.element(DType.F32, memory, 3, 1));
        memory.set(JAVA_SHORT_UNALIGNED, 20, Float.floatToFloat16(0.5f));
        memory.set(JAVA_BYTE, 22 + 4, (byte) 0x9f);
        assertEquals(0.5f * 7, Blocks.element(DType.Q4_0, memory, 20, 4));
        assertEquals(0.5f * 1, Blocks.element(DType.Q4_0, memory, 20, 20));
    }
}
