package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.zip.CRC32;

/**
 * Parameters that are a function of their names, so that a program in another language can compute with the same and a test needs no files. Element i is the i-th of a hash's numbers
 * (h = i · 2654435761 + crc32(name), mixed by MurmurHash3's finalizer) as a uniform number of variance 1 and mean 0: of matrices divided by the root of their inputs,
 * of vectors 1 + that / 20 where the name ends with "weight", that / 10 elsewhere.
 *
 * @param asked names and sizes of all parameters that were asked for, in order
 */
public record SeededWeights(Backend backend, Predicate<String> present, Map<String, Shape> asked) implements Weights {
    public SeededWeights(Backend backend) { this(backend, _ -> true, new LinkedHashMap<>()); }

    @Override public Tensor tensor(String name, int... dims) {
        asked.put(name, new Shape(dims));
        var values = parameter(name, dims);
        var memory = backend.allocate(4L * values.length);
        backend.upload(memory, MemorySegment.ofArray(values));
        return Tensor.of(DType.F32, memory, dims);
    }

    @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }
    @Override public Optional<float[]> values(String name, int... dims) { return Optional.of(parameter(name, dims)); }
    @Override public boolean has(String name) { return present.test(name); }

    public static float[] parameter(String name, int... dims) {
        var crc = new CRC32();
        crc.update(name.getBytes(StandardCharsets.UTF_8));
        var values = new float[Math.toIntExact(new Shape(dims).elements())];
        for (int i = 0; i < values.length; i++) {
            int h = (int) (i * 2654435761L + crc.getValue());
            h = (h ^ h >>> 16) * 0x85ebca6b;
            h = (h ^ h >>> 13) * 0xc2b2ae35;
            h ^= h >>> 16;
            double v = (Integer.toUnsignedLong(h) / 0x1p32 - 0.5) * Math.sqrt(12);
            values[i] = (float) (dims.length > 1 ? v / Math.sqrt((double) values.length / dims[0]) : name.endsWith("weight") ? 1 + v / 20 : v / 10);
        }
        return values;
    }

    /** The same times {@code factor}, for inputs. */
    public static float[] input(String name, float factor, int... dims) {
        var values = parameter(name, dims);
        for (int i = 0; i < values.length; i++) values[i] *= factor;
        return values;
    }
}
