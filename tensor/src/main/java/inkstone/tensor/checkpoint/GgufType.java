package inkstone.tensor.checkpoint;

/** Types of GGUF metadata values; a type's number in the file is its ordinal. */
enum GgufType {
    U8(1), I8(1), U16(2), I16(2), U32(4), I32(4), F32(4), BOOL(1),
    /** u64 length, then bytes. */
    STRING(8),
    /** u32 element type, u64 count, then elements. */
    ARRAY(12),
    U64(8), I64(8), F64(8);

    /** Bytes a value takes at least. */
    final int bytes;

    GgufType(int bytes) { this.bytes = bytes; }
}
