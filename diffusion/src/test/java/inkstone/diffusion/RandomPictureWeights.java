package inkstone.diffusion;

import inkstone.tensor.DType;
import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Parameters by a rule that src/test/python/networks.py has as well, so that networks can be compared without a file: uniform numbers from a hash of the name, rounded to F16; matrices with
 * variance 1 / inputs, biases and embeddings with deviation 0.02, norms about 1. Convolutions are made in the files' order and turned.
 */
public final class RandomPictureWeights implements Weights, AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Map<String, int[]> asked = new LinkedHashMap<>();

    /** {@code count} numbers with a mean and a deviation. */
    public static float[] values(String name, int count, double deviation, double mean) {
        long seed = 0xCBF29CE484222325L;
        for (byte b : name.getBytes(StandardCharsets.UTF_8)) seed = (seed ^ b & 0xFF) * 0x100000001B3L;
        var values = new float[count];
        for (int i = 0; i < count; i++) {
            long z = seed + (i + 1) * 0x9E3779B97F4A7C15L;
            z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
            z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
            z ^= z >>> 31;
            double uniform = 2 * ((z >>> 40) / 16777216.0) - 1;
            values[i] = Float.float16ToFloat(Float.floatToFloat16((float) (mean + uniform * Math.sqrt(3) * deviation)));
        }
        return values;
    }

    /** A picture [channel, row, column] of the rule with its channels last. */
    public static float[] picture(String name, int channels, int height, int width, double deviation) { return channelsLast(values(name, channels * height * width, deviation, 0), channels); }

    public static float[] channelsLast(float[] planes, int channels) {
        var pixels = new float[planes.length];
        int size = planes.length / channels;
        for (int i = 0; i < planes.length; i++) pixels[i % size * channels + i / size] = planes[i];
        return pixels;
    }

    /** A parameter in the files' order. */
    public static float[] parameter(String name, int... fileDims) {
        int count = 1, inputs = 1;
        for (int i = 0; i < fileDims.length; i++) {
            count *= fileDims[i];
            if (i > 0) inputs *= fileDims[i];
        }
        if (fileDims.length > 1) return values(name, count, name.contains("embedding") ? 0.02 : 1 / Math.sqrt(inputs), 0);
        return name.endsWith(".bias") ? values(name, count, 0.02, 0) : values(name, count, 0.05, 1);
    }

    /** Names and shapes, as models asked for them. */
    public Map<String, int[]> asked() { return asked; }

    @Override public Tensor tensor(String name, int... dims) {
        asked.put(name, dims);
        float[] values;
        if (dims.length == 4) {
            int out = dims[0], window = dims[1] * dims[2], in = dims[3];
            float[] stored = parameter(name, out, in, dims[1], dims[2]);
            values = new float[stored.length];
            for (int o = 0; o < out; o++) for (int c = 0; c < in; c++) for (int p = 0; p < window; p++) values[(o * window + p) * in + c] = stored[(o * in + c) * window + p];
        } else {
            values = parameter(name, dims);
        }
        var memory = arena.allocate(4L * values.length, 64);
        MemorySegment.copy(values, 0, memory, ValueLayout.JAVA_FLOAT, 0, values.length);
        return Tensor.of(DType.F32, memory, dims);
    }

    @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }
    @Override public boolean has(String name) { return !name.matches(".*\\.to_[qkv]\\.bias|text_projection\\.bias|.*cond_proj\\.bias"); }
    @Override public Linear linear(String name, int in, int out) { return new Linear.Dense(tensor(name + ".weight", out, in), has(name + ".bias") ? tensor(name + ".bias", out) : null); }
    @Override public void close() { arena.close(); }
}
