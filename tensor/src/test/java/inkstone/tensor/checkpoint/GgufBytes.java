package inkstone.tensor.checkpoint;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/** GGUF files written field by field, right or wrong, without the product's writer. */
final class GgufBytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** Magic, version 3 and the two counts. */
    static GgufBytes header(long tensors, long pairs) { return new GgufBytes().raw("GGUF").u32(3).u64(tensors).u64(pairs); }

    GgufBytes u32(long value) { return bytes(value, 4); }
    GgufBytes u64(long value) { return bytes(value, 8); }
    GgufBytes text(String text) { return u64(text.getBytes(StandardCharsets.UTF_8).length).raw(text); }
    GgufBytes raw(String text) { out.writeBytes(text.getBytes(StandardCharsets.UTF_8)); return this; }
    GgufBytes raw(int... bytes) { for (int b : bytes) out.write(b); return this; }
    GgufBytes bytes(long value, int count) { for (int i = 0; i < count; i++) out.write((int) (value >> 8 * i)); return this; }
    GgufBytes key(String key, GgufType type) { return text(key).u32(type.ordinal()); }
    GgufBytes array(String key, GgufType element, long count) { return key(key, GgufType.ARRAY).u32(element.ordinal()).u64(count); }
    GgufBytes pad(int alignment) { while (out.size() % alignment != 0) out.write(0); return this; }
    GgufBytes zeros(int count) { for (int i = 0; i < count; i++) out.write(0); return this; }

    /** A description; dims with the row length first, as in the file. */
    GgufBytes tensor(String name, int format, long offset, long... dims) {
        text(name).u32(dims.length);
        for (long dim : dims) u64(dim);
        return u32(format).u64(offset);
    }

    byte[] toArray() { return out.toByteArray(); }

    Gguf read() { return Gguf.read(MemorySegment.ofArray(toArray()), "test.gguf", Arena.ofConfined()); }

    /** A whole file with a value of each type and three tensors: a F32 [2, 3], b Q8_0 [2, 32], c IQ2_XXS [256]. */
    static GgufBytes valid() {
        var file = header(3, 17)
            .key("general.architecture", GgufType.STRING).text("llama")
            .key("general.alignment", GgufType.U32).u32(64)
            .key("u8", GgufType.U8).raw(255).key("i8", GgufType.I8).raw(255)
            .key("u16", GgufType.U16).bytes(65_535, 2).key("i16", GgufType.I16).bytes(-2, 2)
            .key("u32", GgufType.U32).u32(4_000_000_000L).key("i32", GgufType.I32).u32(-3)
            .key("u64", GgufType.U64).u64(Long.MAX_VALUE).key("i64", GgufType.I64).u64(-4)
            .key("f32", GgufType.F32).u32(Float.floatToIntBits(1.5f)).key("f64", GgufType.F64).u64(Double.doubleToLongBits(Math.PI))
            .key("bool", GgufType.BOOL).raw(1)
            .array("tokens", GgufType.STRING, 3).text("a").text("é").text("")
            .array("scores", GgufType.F32, 2).u32(Float.floatToIntBits(-1)).u32(Float.floatToIntBits(0.25f))
            .array("types", GgufType.I32, 3).u32(1).u32(-1).u32(6)
            .array("nested", GgufType.ARRAY, 2).u32(GgufType.BOOL.ordinal()).u64(2).raw(1, 0).u32(GgufType.U8.ordinal()).u64(1).raw(7)
            .tensor("a", 0, 0, 3, 2).tensor("b", 8, 64, 32, 2).tensor("c", 16, 192, 256)
            .pad(64);
        for (int i = 0; i < 6; i++) file.u32(Float.floatToIntBits(i));
        return file.pad(64).raw(new int[68]).pad(64).zeros(66);
    }
}
