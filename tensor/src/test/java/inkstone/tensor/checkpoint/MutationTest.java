package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Damaged files, seeded: whatever the damage, a reader returns or throws {@link ModelException} (or the {@link IOException} of a missing shard), soon, and having
 * allocated little. Everything a file then offers is read to its last byte.
 */
class MutationTest {
    private static final long SEED = 20_260_101, MAX_BYTES = 4 << 20, MAX_MILLIS = 2_000;
    private static final long[] EXTREMES = {0, 1, 2, 127, 128, 255, 256, 32_767, 65_535, 65_536, Integer.MAX_VALUE, 1L << 31, 0xFFFF_FFFFL, 1L << 32,
        1L << 40, 1L << 62, Long.MAX_VALUE - 7, Long.MAX_VALUE, Long.MIN_VALUE, -1, -8};
    private static final String[] JSON_PIECES = {"{", "}", "[", "]", "\"", ",", ":", "-", "1e999", "9223372036854775807", "99999999999999999999", "null",
        "true", "\\u0000", "\\ud800", "NaN", "../", "/", "\"a\"", "\"__metadata__\"", "\"dtype\"", "[[[[[[[[[[[[[[[[[[[[", "1.5", "-1", "0"};

    private final ThreadMXBean threads = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);

    private interface Read { Checkpoint open(byte[] bytes) throws IOException; }

    @Test void ggufMutants() {
        run("gguf", GgufBytes.valid().toArray(), 20_000, bytes -> Gguf.read(MemorySegment.ofArray(bytes), "mutant", Arena.ofConfined()));
    }

    @Test void safetensorsMutants() {
        run("safetensors", SafetensorsTest.file(SafetensorsTest.VALID, SafetensorsTest.VALID_DATA), 20_000,
            bytes -> Safetensors.read(MemorySegment.ofArray(bytes), "mutant", Arena.ofConfined()));
    }

    @Test void shardIndexMutants() {
        var one = SafetensorsTest.file("{\"a\":" + SafetensorsTest.entry("F32", "[1]", "[0,4]") + "}", 4);
        var two = SafetensorsTest.file("{\"b\":" + SafetensorsTest.entry("F32", "[2]", "[0,8]") + "}", 8);
        run("index", SafetensorsTest.index("a", "one.safetensors", "b", "two.safetensors").getBytes(StandardCharsets.UTF_8), 5_000,
            bytes -> Safetensors.readShards(MemorySegment.ofArray(bytes), "mutant", name -> switch (name) {
                case "one.safetensors" -> MemorySegment.ofArray(one);
                case "two.safetensors" -> MemorySegment.ofArray(two);
                default -> throw new NoSuchFileException(name);
            }, Arena.ofConfined()));
    }

    private void run(String format, byte[] valid, int mutants, Read read) {
        assertTrue(survives(valid, read), format + ": the file is valid before it is damaged");
        int survivors = 0;
        for (int i = 0; i < mutants; i++) {
            var random = new Random(SEED + i);
            var mutant = valid;
            for (int changes = 1 + random.nextInt(3); changes > 0; changes--) mutant = mutate(mutant, random);
            var what = "%s, seed %d, mutant %d".formatted(format, SEED, i);
            long bytes = threads.getCurrentThreadAllocatedBytes(), start = System.nanoTime();
            try {
                if (survives(mutant, read)) survivors++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError(what, e);
            }
            long used = threads.getCurrentThreadAllocatedBytes() - bytes, millis = (System.nanoTime() - start) / 1_000_000;
            assertTrue(used < MAX_BYTES + 64L * mutant.length, () -> what + " allocated " + used + " bytes");
            assertTrue(millis < MAX_MILLIS, () -> what + " took " + millis + " ms");
        }
        assertTrue(survivors > mutants / 100 && survivors < mutants * 9 / 10,
            "%s: %d of %d mutants were read, so the damage is too great or too small".formatted(format, survivors, mutants));
    }

    private static boolean survives(byte[] bytes, Read read) {
        try (var file = read.open(bytes)) {
            long sum = file.unsupported().toString().length();
            for (var value : file.metadata().values().entrySet()) sum += value.getKey().length() + value.getValue().toString().length();
            for (var info : file.tensors().values()) {
                for (byte b : file.data(info.name()).toArray(JAVA_BYTE)) sum += b;
                sum += info.shape().elements();
            }
            return sum != Long.MIN_VALUE;
        } catch (ModelException | IOException expected) {
            assertTrue(expected.getMessage().length() < 2_000 && expected.getMessage().indexOf('\n') < 0, expected.getMessage());
            return false;
        }
    }

    private static byte[] mutate(byte[] bytes, Random random) {
        if (bytes.length == 0) return bytes;
        int at = random.nextInt(random.nextInt(4) == 0 ? Math.min(bytes.length, 64) : bytes.length);       // headers are hit more often
        var copy = bytes.clone();
        return switch (random.nextInt(8)) {
            case 0 -> { copy[at] ^= (byte) (1 << random.nextInt(8)); yield copy; }
            case 1 -> { copy[at] = (byte) (random.nextBoolean() ? 0 : 255); yield copy; }
            case 2 -> { copy[at] = (byte) random.nextInt(256); yield copy; }
            case 3 -> Arrays.copyOf(bytes, random.nextBoolean() ? at : bytes.length - 1 - random.nextInt(Math.min(bytes.length, 8)));
            case 4 -> insert(bytes, at, new byte[1 + random.nextInt(16)]);
            case 5 -> insert(bytes, at, JSON_PIECES[random.nextInt(JSON_PIECES.length)].getBytes(StandardCharsets.UTF_8));
            case 6 -> {                                                                                    // two spans change places
                int other = random.nextInt(bytes.length), length = Math.min(1 + random.nextInt(32), bytes.length - Math.max(at, other));
                System.arraycopy(bytes, at, copy, other, length);
                System.arraycopy(bytes, other, copy, at, length);
                yield copy;
            }
            default -> {                                                                                   // a field becomes an extreme number
                long value = EXTREMES[random.nextInt(EXTREMES.length)];
                for (int i = 0, width = 1 << random.nextInt(4); i < width && at + i < copy.length; i++) copy[at + i] = (byte) (value >> 8 * i);
                yield copy;
            }
        };
    }

    private static byte[] insert(byte[] bytes, int at, byte[] piece) {
        var longer = Arrays.copyOf(bytes, bytes.length + piece.length);
        System.arraycopy(piece, 0, longer, at, piece.length);
        System.arraycopy(bytes, at, longer, at + piece.length, bytes.length - at);
        return longer;
    }
}
