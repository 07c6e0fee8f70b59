package inkstone.tensor;

import java.lang.foreign.MemorySegment;

/** Stores one block of finite floats after the other. Keeps scratch arrays: one per thread. */
@FunctionalInterface
interface Quantizer {
    /** Stores the elements of {@code values} from {@code from} in the bytes of {@code block}. */
    void block(float[] values, int from, MemorySegment block);

    /** @param importance of each element, indexed as the values are; null: all alike */
    static Quantizer of(DType dtype, float[] importance) {
        var rounded = new RoundedBlocks();
        return switch (dtype) {
            case Q8_0 -> rounded::q8;
            case Q4_0 -> importance == null ? rounded::q4 : LevelBlocks.uniform(dtype, importance, -8, 7, 32, 1, 1, BlockLayout::q4);
            case Q4_1 -> importance == null ? rounded::q4Offset : new OffsetBlocks(dtype, importance, 15, 32, 1, BlockLayout::q4Offset);
            case Q5_0 -> importance == null ? rounded::q5 : LevelBlocks.uniform(dtype, importance, -16, 15, 32, 1, 1, BlockLayout::q5);
            case Q5_1 -> importance == null ? rounded::q5Offset : new OffsetBlocks(dtype, importance, 31, 32, 1, BlockLayout::q5Offset);
            case Q2_K -> new OffsetBlocks(dtype, importance, 3, 16, 15, BlockLayout::q2k);
            case Q3_K -> LevelBlocks.uniform(dtype, importance, -4, 3, 16, -32, 31, BlockLayout::q3k);
            case Q4_K -> new OffsetBlocks(dtype, importance, 15, 32, 63, BlockLayout::q4k);
            case Q5_K -> new OffsetBlocks(dtype, importance, 31, 32, 63, BlockLayout::q5k);
            case Q6_K -> LevelBlocks.uniform(dtype, importance, -32, 31, 16, -128, 127, BlockLayout::q6k);
            case IQ4_NL -> LevelBlocks.iq4(dtype, importance, 1, 1, BlockLayout::q4);
            case IQ4_XS -> LevelBlocks.iq4(dtype, importance, -32, 31, BlockLayout::iq4xs);
            case MXFP4 -> rounded::mxfp4;
            case F32, F16, BF16, I32 -> throw new IllegalArgumentException(dtype + " has no blocks");
        };
    }

    /** The bits of a block's scale; throws where it is beyond what F16 reaches. */
    static short scale(DType dtype, double scale) {
        short half = Float.floatToFloat16((float) scale);
        if (Float.isInfinite(Float.float16ToFloat(half))) throw new IllegalArgumentException("%s cannot store a block whose scale is %s; F16 ends at 65504".formatted(dtype, (float) scale));
        return half;
    }

    /**
     * As {@link #scale}, but rounded away from zero: the integers it is multiplied with then need not exceed their limit. Halves below 2⁻¹⁴ are coarse, and blocks
     * of small weights have such scales.
     */
    static short scaleAtLeast(DType dtype, double scale) {
        short half = scale(dtype, scale);
        return Math.abs(Float.float16ToFloat(half)) < Math.abs(scale) ? scale(dtype, Float.float16ToFloat((short) (half + 1))) : half;
    }
}
