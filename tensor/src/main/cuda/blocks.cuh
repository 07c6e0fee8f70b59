// How every weight format is read: the layouts of DType, exactly as Blocks reads them. A quantized row is a sequence of blocks; element j of a block is
//   w = scale_at(j) (quant(j) - ZERO) + offset_at(j)
// with 8 consecutive elements (j a multiple of 8) always under one scale and one offset. Scale, offset and their products with quants fit the 24 bits of a float (a half's 11 bits,
// at most 8 of a group's integer and at most 8 of a quant, of which no format has all), so they are exact, and only the last sum rounds: fused to one operation or not, the result is
// Blocks' to the last bit.
//
// Bytes of a block, F16 and words little-endian. "nibbles at p" of 32 elements: byte p + j holds elements j (low) and j + 16 (high). "crumbs at p" of 256: of each half (128 elements,
// 32 bytes), byte p + j holds elements j, j + 32, j + 64, j + 96 from the lowest two bits upwards. "bits at p" of 256: byte p + j holds elements j, j + 32, .. from the lowest bit.
//   F32, F16, BF16  blocks of one element
//   Q8_0    34 for  32   d F16 at 0, signed bytes at 2                                                                       w = d q
//   Q4_0    18 for  32   d F16 at 0, nibbles at 2                                                                            w = d (q - 8)
//   Q4_1    20 for  32   d F16 at 0, m F16 at 2, nibbles at 4                                                                w = d q + m
//   Q5_0    22 for  32   d F16 at 0, fifth bits at 2 (bit j of a word), nibbles at 6                                         w = d (q - 16)
//   Q5_1    24 for  32   d F16 at 0, m F16 at 2, fifth bits at 4, nibbles at 8                                               w = d q + m
//   Q2_K    84 for 256   group g of 16: s (low), m (high) of byte g; crumbs at 16; d F16 at 80, e F16 at 82                  w = d s q - e m
//   Q3_K   110 for 256   third bits at 0, crumbs at 32, of group g of 16 the six bits s at 96 (q3_scale), d F16 at 108       w = d (s - 32) (q - 4)
//   Q4_K   144 for 256   d F16 at 0, e F16 at 2, of group g of 32 six bits s and m at 4 (k_scale, k_offset), nibbles at 16   w = d s q - e m
//                        (64 elements in 32 bytes: byte j holds elements j and j + 32)
//   Q5_K   176 for 256   as Q4_K, with fifth bits at 16 and nibbles at 48                                                    w = d s q - e m
//   Q6_K   210 for 256   low nibbles at 0 (128 elements in 64 bytes: byte j holds j and j + 64), upper crumbs at 128,        w = d s (q - 32)
//                        of group g of 16 a signed byte s at 192 + g, d F16 at 208
//   IQ4_NL  18 for  32   as Q4_0, nibbles choose from 16 levels                                                              w = d level(q)
//   IQ4_XS 136 for 256   d F16 at 0, upper two bits of s at 2 (a word of 16 bits), lower four at 4, of group g of 32         w = d (s - 32) level(q)
//                        nibbles at 8 + 16 g
//   MXFP4   17 for  32   power of two e at 0, nibbles at 1, each a sign and one of 8 levels                                  w = 2^(e - 128) doubled(q)
// Weights begin aligned to 256 bytes and rows at any block, so what a block is aligned to is the largest power of two that divides its size: ALIGNMENT.
#pragma once
#include "port.cuh"

// DType.ggml
constexpr int F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20, IQ4_XS = 23, BF16 = 30,
  MXFP4 = 39;

// M(name in lower case, number) for each format.
#define EVERY_FLOAT_FORMAT(M) M(f32, F32) M(f16, F16) M(bf16, BF16)
#define EVERY_QUANTIZED_FORMAT(M) M(q8_0, Q8_0) M(q4_0, Q4_0) M(q4_1, Q4_1) M(q5_0, Q5_0) M(q5_1, Q5_1) M(q2_k, Q2_K) M(q3_k, Q3_K) M(q4_k, Q4_K) M(q5_k, Q5_K) M(q6_k, Q6_K) \
  M(iq4_nl, IQ4_NL) M(iq4_xs, IQ4_XS) M(mxfp4, MXFP4)
#define EVERY_FORMAT(M) EVERY_FLOAT_FORMAT(M) EVERY_QUANTIZED_FORMAT(M)

// ---- pieces of bytes --------------------------------------------------------------------------------------------------------------------------------------

// 32 bits at an address that is a multiple of ALIGNMENT. Where a few bytes more than those asked for may be read (PADDED), words that follow one another share their loads.
template <int ALIGNMENT, bool PADDED = false> DEVICE u32 word(const u8 *p) {
  if (ALIGNMENT >= 4) return *(const u32 *)p;
  if (PADDED) {
    int past = (int)((u64)p & 3);
    const u32 *words = (const u32 *)(p - past);
    return shift_pair(words[0], words[1], 8 * past);
  }
  if (ALIGNMENT == 2) return *(const u16 *)p | (u32)*(const u16 *)(p + 2) << 16;
  return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

DEVICE float half_at(const u8 *p) { return f16_to_f32(*(const u16 *)p); }

// Bit i of four to the lowest bit of byte i.
DEVICE u32 spread(u32 bits) { return bits * 0x00204081u & 0x01010101u; }

// Of eight nibbles the levels, those of low nibbles in one word and those of high nibbles in the other. levels: sixteen bytes. A byte permutation chooses among eight bytes by three
// bits: one for each half of the levels, and one to choose between the two by the fourth bit.
DEVICE void choose_levels(u32 nibbles, const u32 levels[4], u32 *low, u32 *high) {
  u32 chosen[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    u32 four = i == 0 ? nibbles : nibbles >> 16, index = four & 0x7777u;
    chosen[i] = byte_permute(byte_permute(levels[0], levels[1], index), byte_permute(levels[2], levels[3], index), 0x3210u | (four & 0x8888u) >> 1);
  }
  *low = byte_permute(chosen[0], chosen[1], 0x6420u);
  *high = byte_permute(chosen[0], chosen[1], 0x7531u);
}

// Blocks.IQ4_LEVELS: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113.
DEVICE void iq4_levels(u32 levels[4]) { levels[0] = 0xbfad9881u; levels[1] = 0xf6eaddcfu; levels[2] = 0x26190d01u; levels[3] = 0x71594535u; }

// Twice e2m1: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives.
DEVICE void mxfp4_levels(u32 levels[4]) { levels[0] = 0x03020100u; levels[1] = 0x0c080604u; levels[2] = 0xfdfeff00u; levels[3] = 0xf4f8fafcu; }

// s - 32 of group g of 16 of Q3_K: eight bytes of low nibbles, those of 0 to 7 before those of 8 to 15, and four bytes of the upper two bits.
DEVICE int q3_scale(const u8 *block, int g) { return ((block[96 + g % 8] >> g / 8 * 4 & 15) | (block[104 + g % 4] >> g / 4 * 2 & 3) << 4) - 32; }

// s and m of group g of 8 of Q4_K and Q5_K: those of the first four are six bits of bytes 4 to 7 and 8 to 11; the others lie in the nibbles of bytes 12 to 15, their upper two bits
// above the first four.
DEVICE int k_scale(const u8 *block, int g) { return g < 4 ? block[4 + g] & 63 : (block[8 + g] & 15) | block[g] >> 6 << 4; }
DEVICE int k_offset(const u8 *block, int g) { return g < 4 ? block[8 + g] & 63 : block[8 + g] >> 4 | block[4 + g] >> 6 << 4; }

DEVICE int iq4_xs_scale(const u8 *block, int g) { return ((block[4 + g / 2] >> g % 2 * 4 & 15) | (*(const u16 *)(block + 2) >> 2 * g & 3) << 4) - 32; }

// 2^(e - 128), of which the first two are subnormal.
DEVICE float half_power(int e) { return bits_to_f32(e < 2 ? 0x00200000u << e : (u32)(e - 1) << 23); }

// ---- blocks -----------------------------------------------------------------------------------------------------------------------------------------------

// Of each format: ELEMENTS and BYTES of a block, what blocks are aligned to, and for quantized ones ZERO; whether there is an offset; and how many elements share a scale.
template <int FORMAT> struct Block;
#define BLOCK(FORMAT, elements, bytes, zero, has_offset, group) \
  template <> struct Block<FORMAT> { enum { ELEMENTS = elements, BYTES = bytes, ALIGNMENT = bytes & -bytes, ZERO = zero, OFFSET = has_offset, GROUP = group }; };
BLOCK(F32, 1, 4, 0, 0, 1)
BLOCK(F16, 1, 2, 0, 0, 1)
BLOCK(BF16, 1, 2, 0, 0, 1)
BLOCK(Q8_0, 32, 34, 0, 0, 32)
BLOCK(Q4_0, 32, 18, 8, 0, 32)
BLOCK(Q4_1, 32, 20, 0, 1, 32)
BLOCK(Q5_0, 32, 22, 16, 0, 32)
BLOCK(Q5_1, 32, 24, 0, 1, 32)
BLOCK(Q2_K, 256, 84, 0, 1, 16)
BLOCK(Q3_K, 256, 110, 4, 0, 16)
BLOCK(Q4_K, 256, 144, 0, 1, 32)
BLOCK(Q5_K, 256, 176, 0, 1, 32)
BLOCK(Q6_K, 256, 210, 32, 0, 16)
BLOCK(IQ4_NL, 32, 18, 0, 0, 32)
BLOCK(IQ4_XS, 256, 136, 0, 0, 32)
BLOCK(MXFP4, 32, 17, 0, 0, 32)
#undef BLOCK

// Quants of elements j to j + 7 of a block, j a multiple of 8: signed bytes in order. PADDED: 7 bytes behind the block may be read.
template <int FORMAT, bool PADDED = false> DEVICE void quants8(const u8 *block, int j, u32 q[2]) {
  constexpr int A = Block<FORMAT>::ALIGNMENT;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int k = j + 4 * i;
    if (FORMAT == Q8_0) {
      q[i] = word<A, PADDED>(block + 2 + k);
    } else if (FORMAT == Q4_0 || FORMAT == Q4_1) {
      q[i] = word<A, PADDED>(block + (FORMAT == Q4_0 ? 2 : 4) + k % 16) >> k / 16 * 4 & 0x0f0f0f0fu;
    } else if (FORMAT == Q5_0 || FORMAT == Q5_1) {
      int fifth = FORMAT == Q5_0 ? 2 : 4;
      q[i] = (word<A, PADDED>(block + fifth + 4 + k % 16) >> k / 16 * 4 & 0x0f0f0f0fu) | spread(word<A, PADDED>(block + fifth) >> k & 15u) << 4;
    } else if (FORMAT == Q2_K) {
      q[i] = word<A, PADDED>(block + 16 + k / 128 * 32 + k % 32) >> k / 32 % 4 * 2 & 0x03030303u;
    } else if (FORMAT == Q3_K) {
      q[i] = (word<A, PADDED>(block + 32 + k / 128 * 32 + k % 32) >> k / 32 % 4 * 2 & 0x03030303u) | (word<A, PADDED>(block + k % 32) >> k / 32 & 0x01010101u) << 2;
    } else if (FORMAT == Q4_K) {
      q[i] = word<A>(block + 16 + k / 64 * 32 + k % 32) >> k / 32 % 2 * 4 & 0x0f0f0f0fu;
    } else if (FORMAT == Q5_K) {
      q[i] = (word<A>(block + 48 + k / 64 * 32 + k % 32) >> k / 32 % 2 * 4 & 0x0f0f0f0fu) | (word<A>(block + 16 + k % 32) >> k / 32 & 0x01010101u) << 4;
    } else if (FORMAT == Q6_K) {
      q[i] = (word<A, PADDED>(block + k / 128 * 64 + k % 64) >> k / 64 % 2 * 4 & 0x0f0f0f0fu) | (word<A, PADDED>(block + 128 + k / 128 * 32 + k % 32) >> k / 32 % 4 * 2 & 0x03030303u) << 4;
    } else {
      u32 levels[4], low, high;
      if (FORMAT == MXFP4) mxfp4_levels(levels); else iq4_levels(levels);
      u32 nibbles = FORMAT == IQ4_NL ? word<A, PADDED>(block + 2 + k % 16) : FORMAT == IQ4_XS ? word<A>(block + 8 + k / 32 * 16 + k % 16) : word<A, PADDED>(block + 1 + k % 16);
      choose_levels(nibbles, levels, &low, &high);
      q[i] = k / 16 % 2 == 0 ? low : high;
    }
  }
}

// The scale of element j of a block.
template <int FORMAT> DEVICE float scale_at(const u8 *block, int j) {
  switch (FORMAT) {
    case Q2_K: return half_at(block + 80) * (block[j / 16] & 15);
    case Q3_K: return half_at(block + 108) * q3_scale(block, j / 16);
    case Q4_K: case Q5_K: return half_at(block) * k_scale(block, j / 32);
    case Q6_K: return half_at(block + 208) * ((const i8 *)block)[192 + j / 16];
    case IQ4_XS: return half_at(block) * iq4_xs_scale(block, j / 32);
    case MXFP4: return half_power(block[0]);
    default: return half_at(block);
  }
}

// The offset of element j of a block; 0 where Block<FORMAT>::OFFSET is.
template <int FORMAT> DEVICE float offset_at(const u8 *block, int j) {
  switch (FORMAT) {
    case Q4_1: case Q5_1: return half_at(block + 2);
    case Q2_K: return -(half_at(block + 82) * (block[j / 16] >> 4));
    case Q4_K: case Q5_K: return -(half_at(block + 2) * k_offset(block, j / 32));
    default: return 0;
  }
}

// ---- rows -------------------------------------------------------------------------------------------------------------------------------------------------

// Bytes of a row; columns are whole blocks.
template <int FORMAT> DEVICE i64 row_bytes(i64 columns) { return columns / Block<FORMAT>::ELEMENTS * Block<FORMAT>::BYTES; }

// Element k of a row of numbers that are not quantized.
template <int FORMAT> DEVICE float plain(const u8 *row, i64 k) {
  return FORMAT == F32 ? ((const float *)row)[k] : FORMAT == F16 ? f16_to_f32(((const u16 *)row)[k]) : bf16_to_f32(((const u16 *)row)[k]);
}

// Byte i of eight.
DEVICE int byte_of(const u32 q[2], int i) { return (i8)((i < 4 ? q[0] : q[1]) >> 8 * (i & 3)); }

// Elements k to k + 7 of a row, k a multiple of 8. Numbers that are not quantized are read one by one: where 16 bytes are aligned, the caller knows.
template <int FORMAT> DEVICE void weight8(const u8 *row, i64 k, float out[8]) {
  typedef Block<FORMAT> B;
  if constexpr (B::ELEMENTS == 1) {
#pragma unroll
    for (int i = 0; i < 8; i++) out[i] = plain<FORMAT>(row, k + i);
  } else {
    const u8 *block = row + (u64)k / B::ELEMENTS * B::BYTES;
    int j = (int)((u64)k % B::ELEMENTS);
    float s = scale_at<FORMAT>(block, j), o = offset_at<FORMAT>(block, j);
    u32 q[2];
    quants8<FORMAT>(block, j, q);
#pragma unroll
    for (int i = 0; i < 8; i++) out[i] = B::OFFSET ? s * (byte_of(q, i) - B::ZERO) + o : s * (byte_of(q, i) - B::ZERO);
  }
}

// Element k of a row.
template <int FORMAT> DEVICE float weight1(const u8 *row, i64 k) {
  typedef Block<FORMAT> B;
  if constexpr (B::ELEMENTS == 1) {
    return plain<FORMAT>(row, k);
  } else {
    const u8 *block = row + (u64)k / B::ELEMENTS * B::BYTES;
    int j = (int)((u64)k % B::ELEMENTS);
    u32 q[2];
    quants8<FORMAT>(block, j & ~7, q);
    float product = scale_at<FORMAT>(block, j) * (byte_of(q, j & 7) - B::ZERO);
    return B::OFFSET ? product + offset_at<FORMAT>(block, j) : product;
  }
}
