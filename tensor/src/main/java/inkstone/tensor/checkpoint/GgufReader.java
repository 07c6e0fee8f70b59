package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One pass over a GGUF file that trusts nothing: each count and length is compared with the bytes left before anything of that size is allocated or read.
 * Text that is not UTF-8 is decoded with replacement characters, as vocabularies in use hold tokens that end inside a character.
 */
final class GgufReader {
    private static final int MAGIC = 0x46554747, DEFAULT_ALIGNMENT = 32;
    /* The largest vocabularies in use (262k tokens with merges) take about 15 MB. Decoded, this is at most 512 MB of heap: an array of bytes becomes longs. */
    private static final long MAX_HEADER = 64L << 20;
    private static final int MAX_NAME = 65_535, MAX_RANK = 4, MAX_NESTING = 4;
    /** Least bytes of a key and value, and of a tensor description: what a count is checked with. */
    private static final int LEAST_PAIR = 8 + 4 + 1, LEAST_TENSOR = 8 + 4 + 8 + 4 + 8;
    private static final GgufType[] TYPES = GgufType.values();
    /** ggml's formats by number; those removed from it have no name. */
    private static final String[] FORMATS = {"F32", "F16", "Q4_0", "Q4_1", "", "", "Q5_0", "Q5_1", "Q8_0", "Q8_1",
        "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS",
        "I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16", "", "", "", "TQ1_0", "TQ2_0", "", "", "", "MXFP4", "NVFP4", "Q1_0", "Q2_0"};

    final Contents contents;
    final Map<String, MemorySegment> encoded = new LinkedHashMap<>();

    private final MemorySegment file;
    private final String source;
    /** Where header fields must end: the file's end, or the limit. */
    private final long end;
    private long position;
    /** What is being read, for messages. */
    private String where = "header";
    private byte[] text = new byte[256];

    GgufReader(MemorySegment file, String source) {
        this.file = file;
        this.source = source;
        this.end = Math.min(file.byteSize(), MAX_HEADER);
        version();
        int tensors = count("tensor count", LEAST_TENSOR), pairs = count("metadata count", LEAST_PAIR);
        if (tensors > Contents.MAX_TENSORS || pairs > Contents.MAX_METADATA) {
            throw wrong("promises %d tensors and %d metadata entries, more than any model", tensors, pairs);
        }
        this.contents = new Contents(source, metadata(pairs));
        long alignment = alignment();
        var placements = new ArrayList<Placement>();
        var names = new HashSet<String>();
        for (int i = 0; i < tensors; i++) {
            where = "tensor " + i;
            placements.add(placement(names, alignment));
        }
        place(placements, (position + alignment - 1) & -alignment);
    }

    // ---- header ----------------------------------------------------------------------------------------------------------------------------------------

    private void version() {
        if (file.byteSize() < 8 || file.get(JAVA_INT_UNALIGNED, 0) != MAGIC) {
            throw new ModelException("%s is not a GGUF file: it looks like %s".formatted(source, Diagnosis.looksLike(file)));
        }
        position = 4;
        int version = u32();
        // Nothing in the file says its byte order, but a version read in the wrong order is a multiple of 65,536.
        if ((version & 0xFFFF) == 0 && version != 0) throw new ModelException(source + " is a big-endian GGUF file; use a little-endian one");
        if (version == 1) throw new ModelException(source + " is GGUF version 1, which was in use for days in 2023; convert the model again");
        if (version != 2 && version != 3) {
            throw new ModelException("%s is GGUF version %s; versions 2 and 3 are read here".formatted(source, Integer.toUnsignedString(version)));
        }
    }

    private Map<String, Object> metadata(int pairs) {
        var values = new LinkedHashMap<String, Object>();
        for (int i = 0; i < pairs; i++) {
            where = "metadata entry " + i;
            var key = name();
            where = "metadata key " + key;
            long start = position;
            if (values.put(key, value(type(), 0)) != null) throw wrong("appears twice");
            encoded.put(key, file.asSlice(start, position - start).asReadOnly());
        }
        return values;
    }

    private long alignment() {
        var value = contents.metadata.values().get("general.alignment");
        where = "metadata key general.alignment";
        if (value == null) return DEFAULT_ALIGNMENT;
        if (value instanceof Long alignment && alignment > 0 && alignment <= 1 << 30 && Long.bitCount(alignment) == 1) return alignment;
        throw wrong("should be a power of two, found %s", value instanceof Long ? value : value.getClass().getSimpleName());
    }

    // ---- values ----------------------------------------------------------------------------------------------------------------------------------------

    private GgufType type() {
        int number = u32();
        if (number < 0 || number >= TYPES.length) throw wrong("has unknown value type %s", Integer.toUnsignedString(number));
        return TYPES[number];
    }

    private Object value(GgufType type, int nesting) {
        return switch (type) {
            case STRING -> string(MAX_HEADER);
            case BOOL -> bool();
            case F32, F64 -> floating(type);
            case ARRAY -> array(nesting);
            default -> integer(type);
        };
    }

    private Object array(int nesting) {
        if (nesting == MAX_NESTING) throw wrong("nests arrays deeper than %d", MAX_NESTING);
        var type = type();
        int count = count("array", type.bytes);
        return switch (type) {
            case STRING -> strings(count);
            case BOOL -> booleans(count);
            case F32, F64 -> floats(type, count);
            case ARRAY -> arrays(count, nesting + 1);
            default -> integers(type, count);
        };
    }

    private long[] integers(GgufType type, int count) {
        var values = new long[count];
        for (int i = 0; i < count; i++) values[i] = integer(type);
        return values;
    }

    private double[] floats(GgufType type, int count) {
        var values = new double[count];
        for (int i = 0; i < count; i++) values[i] = floating(type);
        return values;
    }

    private boolean[] booleans(int count) {
        var values = new boolean[count];
        for (int i = 0; i < count; i++) values[i] = bool();
        return values;
    }

    private List<String> strings(int count) {
        var values = new String[count];
        for (int i = 0; i < count; i++) values[i] = string(MAX_HEADER);
        return Collections.unmodifiableList(Arrays.asList(values));
    }

    private List<Object> arrays(int count, int nesting) {
        var values = new Object[count];
        for (int i = 0; i < count; i++) values[i] = array(nesting);
        return Collections.unmodifiableList(Arrays.asList(values));
    }

    private long integer(GgufType type) {
        long at = take(type.bytes);
        return switch (type) {
            case U8 -> file.get(JAVA_BYTE, at) & 0xFF;
            case I8 -> file.get(JAVA_BYTE, at);
            case U16 -> file.get(JAVA_SHORT_UNALIGNED, at) & 0xFFFF;
            case I16 -> file.get(JAVA_SHORT_UNALIGNED, at);
            case U32 -> file.get(JAVA_INT_UNALIGNED, at) & 0xFFFF_FFFFL;
            case I32 -> file.get(JAVA_INT_UNALIGNED, at);
            case I64 -> file.get(JAVA_LONG_UNALIGNED, at);
            case U64 -> {
                long value = file.get(JAVA_LONG_UNALIGNED, at);
                if (value < 0) throw wrong("is %s, larger than any value in use", Long.toUnsignedString(value));
                yield value;
            }
            default -> throw new IllegalArgumentException(type + " is not an integer");
        };
    }

    private double floating(GgufType type) {
        long at = take(type.bytes);
        return type == GgufType.F32 ? file.get(JAVA_FLOAT_UNALIGNED, at) : file.get(JAVA_DOUBLE_UNALIGNED, at);
    }

    private boolean bool() {
        byte value = file.get(JAVA_BYTE, take(1));
        if (value != 0 && value != 1) throw wrong("should be a boolean, 0 or 1, found %d", value);
        return value == 1;
    }

    // ---- tensors ---------------------------------------------------------------------------------------------------------------------------------------

    /** One tensor description; the data's place is checked when the end of all descriptions is known. */
    private record Placement(String name, int format, DType dtype, Shape shape, long offset, long bytes) {}

    private Placement placement(Set<String> names, long alignment) {
        var name = name();
        where = "tensor " + name;
        if (!names.add(name)) throw wrong("appears twice");
        int rank = u32();
        if (rank < 1 || rank > MAX_RANK) throw wrong("should have 1 to %d dimensions, has %s", MAX_RANK, Integer.toUnsignedString(rank));
        var dims = new int[rank];
        long elements = 1;
        for (int i = rank - 1; i >= 0; i--) {                                    // the file has the row length first
            long dim = u64();
            if (dim < 1 || dim > Integer.MAX_VALUE) throw wrong("has a dimension of %s", Long.toUnsignedString(dim));
            if (elements > Long.MAX_VALUE / dim) throw wrong("has more elements than any file holds");
            dims[i] = (int) dim;
            elements *= dim;
        }
        int format = u32();
        long offset = u64();
        if (offset < 0 || offset % alignment != 0) throw wrong("should begin at a multiple of %d, begins at %s", alignment, Long.toUnsignedString(offset));
        var dtype = dtype(format);
        var shape = new Shape(dims);
        if (dtype == null) return new Placement(name, format, null, shape, offset, 0);
        if (shape.last() % dtype.blockSize != 0) throw wrong("is %s, but rows of %d elements are not whole blocks of %d", dtype, shape.last(), dtype.blockSize);
        if (elements / dtype.blockSize > file.byteSize() / dtype.blockBytes) {
            throw wrong("is %s %s, more than the whole file of %d bytes: it is cut short or damaged; download it again", dtype, shape, file.byteSize());
        }
        return new Placement(name, format, dtype, shape, offset, dtype.bytes(elements));
    }

    private void place(List<Placement> placements, long dataStart) {
        long available = Math.max(0, file.byteSize() - dataStart);
        for (var p : placements) {
            where = "tensor " + p.name;
            if (p.offset > available - p.bytes) {
                throw wrong("needs %d bytes at %d of the data, which has %d: the file is cut short or damaged; download it again",
                    p.bytes, p.offset, available);
            }
            if (p.dtype == null) contents.addUnsupported(p.name, formatName(p.format));
            else contents.add(new TensorInfo(p.name, p.dtype, p.shape), file.asSlice(dataStart + p.offset, p.bytes));
        }
    }

    private static DType dtype(int format) {
        for (var dtype : DType.values()) if (dtype.ggml == format) return dtype;
        return null;
    }

    private static String formatName(int format) {
        return format >= 0 && format < FORMATS.length && !FORMATS[format].isEmpty() ? FORMATS[format] : "ggml format " + Integer.toUnsignedString(format);
    }

    // ---- bytes -----------------------------------------------------------------------------------------------------------------------------------------

    private int u32() { return file.get(JAVA_INT_UNALIGNED, take(4)); }

    /** Negative means 2⁶³ or more. */
    private long u64() { return file.get(JAVA_LONG_UNALIGNED, take(8)); }

    /** A number of things of at least {@code least} bytes each; it fits an int, as the header is limited. */
    private int count(String what, int least) {
        long count = u64();
        if (count < 0 || count > (end - position) / least) {
            throw wrong("%s of %s does not fit the %d bytes left: the file is cut short or damaged", what, Long.toUnsignedString(count), end - position);
        }
        return (int) count;
    }

    private String name() { return string(MAX_NAME); }

    private String string(long most) {
        long length = u64();
        if (length < 0 || length > most) throw wrong("has text of %s bytes", Long.toUnsignedString(length));
        int bytes = (int) length;
        long at = take(bytes);
        if (bytes > text.length) text = new byte[Math.max(bytes, 2 * text.length)];
        MemorySegment.copy(file, JAVA_BYTE, at, text, 0, bytes);
        return new String(text, 0, bytes, StandardCharsets.UTF_8);
    }

    /** Moves past the next bytes and returns where they begin. */
    private long take(long bytes) {
        if (bytes > end - position) {
            if (end < file.byteSize()) throw wrong("is more than %d bytes from the start, where all metadata should have ended", end);
            throw wrong("does not fit: the file ends after %d bytes and is cut short or damaged; download it again", end);
        }
        long start = position;
        position += bytes;
        return start;
    }

    private ModelException wrong(String problem, Object... arguments) {
        return new ModelException("%s: %s %s".formatted(source, Diagnosis.shown(where), problem.formatted(arguments)));
    }
}
