package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * How a tensor stands in a safetensors file: as it is, or in several tensors that together are one of a format that models know. Units are blocks of {@link #dtype}.
 */
sealed interface Encoding {
    DType dtype();
    Shape shape();
    /** The tensors of the file that it stands in. */
    List<String> tensors();

    /** Copies {@code count} units, {@code stride} apart from unit {@code from} on, to byte {@code at} of {@code target}. bytes: of {@link #tensors}, in their order. */
    void copy(MemorySegment[] bytes, long from, long stride, long count, MemorySegment target, long at);

    /** One tensor of a format known as it is. */
    record Plain(TensorInfo info) implements Encoding {
        @Override public DType dtype() { return info.dtype(); }
        @Override public Shape shape() { return info.shape(); }
        @Override public List<String> tensors() { return List.of(info.name()); }

        @Override public void copy(MemorySegment[] bytes, long from, long stride, long count, MemorySegment target, long at) {
            int size = dtype().blockBytes;
            if (stride == 1) {
                MemorySegment.copy(bytes[0], from * size, target, at, count * size);
                return;
            }
            for (long i = 0; i < count; i++, from += stride, at += size) {
                switch (size) {
                    case 2 -> target.set(JAVA_SHORT_UNALIGNED, at, bytes[0].get(JAVA_SHORT_UNALIGNED, from * 2));
                    case 4 -> target.set(JAVA_INT_UNALIGNED, at, bytes[0].get(JAVA_INT_UNALIGNED, from * 4));
                    default -> MemorySegment.copy(bytes[0], from * size, target, at, size);
                }
            }
        }
    }

    /**
     * MXFP4 (OCP microscaling formats 1.0) as gpt-oss has it: NAME_blocks U8 [.., n, 16], whose byte j holds elements 2j (low) and 2j + 1 (high) of 32, and NAME_scales
     * U8 [.., n]. ggml's byte j holds elements j and j + 16.
     */
    record Mxfp4(String blocks, String scales, Shape shape) implements Encoding {
        private static final int PACKED = 16;

        @Override public DType dtype() { return DType.MXFP4; }
        @Override public List<String> tensors() { return List.of(blocks, scales); }

        @Override public void copy(MemorySegment[] bytes, long from, long stride, long count, MemorySegment target, long at) {
            for (long i = 0; i < count; i++, from += stride, at += DType.MXFP4.blockBytes) {
                target.set(JAVA_BYTE, at, bytes[1].get(JAVA_BYTE, from));
                for (int j = 0; j < PACKED; j++) {
                    int low = nibble(bytes[0], from * PACKED, j), high = nibble(bytes[0], from * PACKED, j + PACKED);
                    target.set(JAVA_BYTE, at + 1 + j, (byte) (low | high << 4));
                }
            }
        }

        private static int nibble(MemorySegment blocks, long block, int element) { return blocks.get(JAVA_BYTE, block + element / 2) >> element % 2 * 4 & 15; }
    }

    /**
     * Eight bits with a scale for each tile, as DeepSeek 3 has it (DeepSeek-AI 2024, arXiv:2412.19437, section 3.3): NAME F8_E4M3 [rows, columns] and NAME_scale_inv F32
     * [rows / tile, columns / tile], rounded up. They become BF16, as in the release of the original.
     */
    record Fp8(String values, String scales, DType scaleType, Shape shape, int tileRows, int tileColumns) implements Encoding {
        /** Nothing and infinity are not numbers of this format (Micikevicius et al. 2022, arXiv:2209.05433): bits 7 of 15 exponents and all ones are NaN. */
        private static final int EXPONENT_BIAS = 7, MANTISSA_BITS = 3;

        @Override public DType dtype() { return DType.BF16; }
        @Override public List<String> tensors() { return List.of(values, scales); }

        @Override public void copy(MemorySegment[] bytes, long from, long stride, long count, MemorySegment target, long at) {
            int columns = shape.last(), scaleColumns = Math.ceilDiv(columns, tileColumns);
            float[] scaled = new float[1], scale = new float[1];
            long scaleAt = -1;
            for (long i = 0; i < count; i++, from += stride, at += 2) {
                long tile = from / columns / tileRows * scaleColumns + from % columns / tileColumns;
                if (tile != scaleAt) Blocks.toFloats(scaleType, bytes[1], scaleType.bytes(tile), scale, 1);
                scaleAt = tile;
                scaled[0] = e4m3(bytes[0].get(JAVA_BYTE, from)) * scale[0];
                Blocks.fromFloats(DType.BF16, scaled, target, at, 1);
            }
        }

        static float e4m3(byte bits) {
            int exponent = bits >> MANTISSA_BITS & 15, mantissa = bits & 7;
            if (exponent == 15 && mantissa == 7) return Float.NaN;
            float magnitude = exponent == 0 ? Math.scalb((float) mantissa, 1 - EXPONENT_BIAS - MANTISSA_BITS)
                : Math.scalb(8f + mantissa, exponent - EXPONENT_BIAS - MANTISSA_BITS);
            return bits < 0 ? -magnitude : magnitude;
        }
    }
}
