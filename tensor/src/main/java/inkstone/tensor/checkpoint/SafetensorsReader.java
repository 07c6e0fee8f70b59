package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/** Reads the JSON of a safetensors file or of a shard index token by token, so that memory grows with the text and no tree is built from it. */
final class SafetensorsReader {
    private static final int MAX_HEADER = 100_000_000, MAX_RANK = 8, MAX_NAME = 65_535;
    /** Plain names only: an index must not reach outside its folder. The files themselves may be links, as in Hugging Face's cache. */
    private static final Pattern SHARD_NAME = Pattern.compile("[\\w][\\w. -]*\\.safetensors");
    /* Names are not kept between files: a shared symbol table is what hostile names with equal hashes aim at. */
    private static final JsonFactory JSON = JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES).disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
        .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(16).maxStringLength(MAX_HEADER).maxNameLength(MAX_NAME)
            .maxNumberLength(32).build())
        .build();

    private final String source;
    private final JsonParser json;

    private SafetensorsReader(String source, JsonParser json) {
        this.source = source;
        this.json = json;
    }

    /** What is at [begin, end) of the data; dtype null where the type has none, and then only the place was checked. */
    private record Entry(String name, String type, DType dtype, int[] dims, long begin, long end) {}

    static Contents file(MemorySegment file, String source) {
        long headerBytes = file.byteSize() < 8 ? -1 : file.get(JAVA_LONG_UNALIGNED, 0);
        if (headerBytes < 2 || headerBytes > MAX_HEADER || file.byteSize() > 8 && file.get(JAVA_BYTE, 8) != '{') {
            throw new ModelException("%s is not a safetensors file: it looks like %s".formatted(source, Diagnosis.looksLike(file)));
        }
        if (headerBytes > file.byteSize() - 8) {
            throw new ModelException("%s: a header of %d bytes does not fit a file of %d: it is cut short or damaged; download it again"
                .formatted(source, headerBytes, file.byteSize()));
        }
        var metadata = new LinkedHashMap<String, Object>();
        var entries = new ArrayList<Entry>();
        parse(file.asSlice(8, headerBytes), source, reader -> reader.header(metadata, entries));
        return place(entries, file.asSlice(8 + headerBytes), source, metadata);
    }

    /** The file name of each tensor's shard. */
    static Map<String, String> index(MemorySegment text, String source) {
        if (text.byteSize() > MAX_HEADER) throw new ModelException("%s: an index of %d bytes is too large".formatted(source, text.byteSize()));
        var shardOf = new LinkedHashMap<String, String>();
        parse(text, source, reader -> reader.weightMap(shardOf));
        if (shardOf.isEmpty()) throw new ModelException(source + " has no weight_map");
        return shardOf;
    }

    // ---- JSON ------------------------------------------------------------------------------------------------------------------------------------------

    private interface Part { void read(SafetensorsReader reader); }

    private static void parse(MemorySegment text, String source, Part part) {
        try {
            var decoded = StandardCharsets.UTF_8.newDecoder().decode(text.asByteBuffer()).toString();
            try (var json = JSON.createParser(ObjectReadContext.empty(), decoded)) {
                var reader = new SafetensorsReader(source, json);
                json.nextToken();
                part.read(reader);
                if (json.nextToken() != null) throw reader.wrong("header", "has text after its JSON");
            }
        } catch (CharacterCodingException e) {
            throw new ModelException(source + ": header is not UTF-8 text", e);
        } catch (JacksonException e) {
            throw new ModelException("%s: header is not JSON as expected: %s".formatted(source, Diagnosis.shown(e.getOriginalMessage())), e);
        }
    }

    private void header(Map<String, Object> metadata, List<Entry> entries) {
        object("header", name -> {
            if (!name.equals("__metadata__")) entries.add(entry(name));
            else object(name, key -> metadata.put(key, string(name + " " + key)));
            if (entries.size() > Contents.MAX_TENSORS || metadata.size() > Contents.MAX_METADATA) throw wrong("header", "has more entries than any model");
        });
    }

    /** The fields of one tensor as they come. */
    private static final class Fields {
        private String type;
        private List<Long> shape, range;
    }

    private Entry entry(String name) {
        var fields = new Fields();
        object(name, field -> {
            switch (field) {
                case "dtype" -> fields.type = string(name + " dtype");
                case "shape" -> fields.shape = integers(name, MAX_RANK);
                case "data_offsets" -> fields.range = integers(name, 2);
                default -> json.skipChildren();
            }
        });
        if (fields.type == null || fields.shape == null || fields.range == null || fields.range.size() != 2) {
            throw wrong(name, "needs dtype, shape and two data_offsets");
        }
        long begin = fields.range.get(0), end = fields.range.get(1);
        if (begin > end) throw wrong(name, "ends at %d, before it begins at %d".formatted(end, begin));
        return checked(name, fields.type, fields.shape, begin, end);
    }

    private Entry checked(String name, String type, List<Long> shape, long begin, long end) {
        var dtype = dtype(type);
        var dims = shape.isEmpty() ? new int[] {1} : new int[shape.size()];
        long elements = 1;
        for (int i = 0; i < shape.size(); i++) {
            long dim = shape.get(i);
            if (dim > Integer.MAX_VALUE || elements > 0 && dim > Long.MAX_VALUE / 8 / elements) {
                throw wrong(name, "has shape %s, more than any file holds".formatted(shape));
            }
            dims[i] = (int) dim;
            elements *= dim;
        }
        if (dtype != null && end - begin != dtype.bytes(elements)) {
            throw wrong(name, "is %s %s of %d bytes, but has %d".formatted(type, shape, dtype.bytes(elements), end - begin));
        }
        if (isRaw(type) && end - begin != elements) throw wrong(name, "is %s %s of %d bytes, but has %d".formatted(type, shape, elements, end - begin));
        if (dtype != null && elements == 0) return new Entry(name, "an empty " + type, null, dims, begin, end);
        return new Entry(name, type, dtype, dims, begin, end);
    }

    private void weightMap(Map<String, String> shardOf) {
        object("index", field -> {
            if (!field.equals("weight_map")) json.skipChildren();
            else object(field, name -> {
                var shard = string(field + " " + name);
                if (!SHARD_NAME.matcher(shard).matches()) {
                    throw wrong(name, "should name a .safetensors file in the same folder, found '%s'".formatted(Diagnosis.shown(shard)));
                }
                shardOf.put(name, shard);
                if (shardOf.size() > Contents.MAX_TENSORS) throw wrong("index", "has more entries than any model");
            });
        });
    }

    /** Reads the object that begins here; {@code field} reads the value that the parser stands at, whole. */
    private void object(String what, Consumer<String> field) {
        if (json.currentToken() != JsonToken.START_OBJECT) throw wrong(what, "should be a JSON object");
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            var name = json.currentName();
            json.nextToken();
            field.accept(name);
        }
    }

    private String string(String what) {
        if (json.currentToken() != JsonToken.VALUE_STRING) throw wrong(what, "should be a string");
        return json.getString();
    }

    /** At most {@code most} numbers, whole and not negative. */
    private List<Long> integers(String what, int most) {
        if (json.currentToken() != JsonToken.START_ARRAY) throw wrong(what, "should have arrays for shape and data_offsets");
        var values = new ArrayList<Long>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            if (json.currentToken() != JsonToken.VALUE_NUMBER_INT || json.getLongValue() < 0) {
                throw wrong(what, "should have whole numbers in shape and data_offsets");
            }
            if (values.size() == most) throw wrong(what, "has more than %d numbers in shape or data_offsets".formatted(most));
            values.add(json.getLongValue());
        }
        return values;
    }

    // ---- tensors ---------------------------------------------------------------------------------------------------------------------------------------

    private static DType dtype(String type) {
        return switch (type) {
            case "F32" -> DType.F32;
            case "F16" -> DType.F16;
            case "BF16" -> DType.BF16;
            case "I32" -> DType.I32;
            default -> null;
        };
    }

    /** One byte an element, of which tensors of other formats may be made. */
    private static boolean isRaw(String type) { return type.equals("U8") || type.equals("F8_E4M3"); }

    private static Contents place(List<Entry> entries, MemorySegment data, String source, Map<String, Object> metadata) {
        var contents = new Contents(source, metadata);
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long end = 0;
        for (var e : entries) {
            if (e.begin != end) {
                throw new ModelException("%s: tensor %s begins at %d, but the one before ends at %d".formatted(source, Diagnosis.shown(e.name), e.begin, end));
            }
            end = e.end;
            if (end > data.byteSize()) {
                throw new ModelException("%s: tensor %s ends at %d of the data, which has %d bytes: the file is cut short or damaged; download it again"
                    .formatted(source, Diagnosis.shown(e.name), end, data.byteSize()));
            }
            if (e.dtype == null && isRaw(e.type) && e.end > e.begin) contents.addRaw(e.name, new Contents.Raw(e.type, new Shape(e.dims), data.asSlice(e.begin, e.end - e.begin).asReadOnly()));
            else if (e.dtype == null) contents.addUnsupported(e.name, e.type);
            else contents.add(new TensorInfo(e.name, e.dtype, new Shape(e.dims)), data.asSlice(e.begin, e.end - e.begin));
        }
        if (end != data.byteSize()) throw new ModelException("%s: %d bytes follow the last tensor".formatted(source, data.byteSize() - end));
        return contents;
    }

    private ModelException wrong(String what, String problem) { return new ModelException("%s: %s %s".formatted(source, Diagnosis.shown(what), problem)); }
}
