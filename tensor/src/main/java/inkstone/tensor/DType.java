package inkstone.tensor;

/**
 * Element formats, bit for bit those of ggml and GGUF. A quantized format stores {@link #blockSize} consecutive elements of a row in
 * {@link #blockBytes} bytes; plain formats are blocks of one element.
 */
public enum DType {
    F32(0, 1, 4), F16(1, 1, 2), BF16(30, 1, 2), I32(26, 1, 4),
    /** 32 signed bytes and one F16 scale: w = d q. */
    Q8_0(8, 32, 34),
    /** 32 nibbles and one F16 scale: w = d (q - 8); byte j holds elements j (low) and j + 16 (high). */
    Q4_0(2, 32, 18);

    /** The type's number in a GGUF file. */
    public final int ggml;
    /** Elements in a block. */
    public final int blockSize;
    /** Bytes in a block. */
    public final int blockBytes;

    DType(int ggml, int blockSize, int blockBytes) {
        this.ggml = ggml;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Bytes that {@code elements} consecutive elements take; throws where they are not whole blocks. */
    public long bytes(long elements) {
        if (elements % blockSize != 0) {
            throw new IllegalArgumentException("%s stores blocks of %d elements, which do not divide %d".formatted(this, blockSize, elements));
        }
        return Math.multiplyExact(elements / blockSize, (long) blockBytes);
    }

    public boolean isFloat() { return this == F32 || this == F16 || this == BF16; }

    public boolean isQuantized() { return blockSize > 1; }
}
