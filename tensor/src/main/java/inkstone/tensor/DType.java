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
    Q4_0(2, 32, 18),
    /** 32 nibbles as in Q4_0, scale and offset: w = d q + m. */
    Q4_1(3, 32, 20),
    /** 32 nibbles as in Q4_0, whose fifth bits are the 32 bits of a word: w = d (q - 16). */
    Q5_0(6, 32, 22),
    /** Q5_0's five bits, scale and offset: w = d q + m. */
    Q5_1(7, 32, 24),
    /** 256 of 2 bits; every 16 have a scale s and an offset m of 4 bits: w = d s q - e m. */
    Q2_K(10, 256, 84),
    /** 256 of 3 bits; every 16 have a scale s of 6 bits: w = d (s - 32) (q - 4). */
    Q3_K(11, 256, 110),
    /** 256 of 4 bits; every 32 have a scale s and an offset m of 6 bits: w = d s q - e m. */
    Q4_K(12, 256, 144),
    /** 256 of 5 bits; every 32 have a scale s and an offset m of 6 bits: w = d s q - e m. */
    Q5_K(13, 256, 176),
    /** 256 of 6 bits; every 16 have a signed scale s of 8 bits: w = d s (q - 32). */
    Q6_K(14, 256, 210),
    /** 32 nibbles as in Q4_0 that choose from 16 levels, denser near zero: w = d level(q). */
    IQ4_NL(20, 32, 18),
    /** 256 nibbles that choose from IQ4_NL's levels; every 32 have a scale s of 6 bits: w = d (s - 32) level(q). */
    IQ4_XS(23, 256, 136),
    /** OCP microscaling: 32 nibbles as in Q4_0, each a float of 1 sign, 2 exponent and 1 mantissa bits, and a power of two: w = 2^(e - 127) e2m1(q). */
    MXFP4(39, 32, 17);

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
