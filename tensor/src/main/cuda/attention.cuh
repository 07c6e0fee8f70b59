// What the attention kernels share: the heads of a launch, how keys and values lie in memory, and which of them a row sees.
#pragma once
#include "port.cuh"

// Scores are kept times log2(e), so that a probability is a power of two.
#define LOG2E 1.44269504088896341f
#define NEVER (-INFINITY)

// Of AttentionShape, and how a launch shares out its heads: group query heads read one key head, groupTile of them are handled by one block.
struct Heads {
  int heads, kvHeads, headDim, valueDim;
  float scale, softCap;
  const float *sinks;
  int headTiles, groupTile;
};

// What queries are multiplied by when they are loaded: products are then scores in powers of two, or, where they are capped, what tanh takes.
DEVICE float query_factor(const Heads &h) { return h.softCap > 0.0f ? h.scale / h.softCap : h.scale * LOG2E; }

// cap tanh(x) = cap (1 - 2 / (1 + e^2x)), times log2(e).
DEVICE float capped(float x, float softCap) { return softCap * LOG2E * (1.0f - 2.0f * fast_reciprocal(1.0f + fast_exp2(2.0f * LOG2E * x))); }

// 2^(x - largest), 0 where both are minus infinity.
DEVICE float relative(float x, float largest) { return fast_exp2(x - (largest == NEVER ? 0.0f : largest)); }

// ---- keys and values in memory ------------------------------------------------------------------------------------------------------------------------
// A piece is 8 neighbouring numbers of a head, of which the first count exist and the rest are 0. fetch only loads, so that many loads are under way before the first unpack waits.
// aligned: pieces may be loaded as words of 16 bytes. HALVES: they lie in memory as tensor cores take them; F16: as which halves tensor cores get them, float16 or bfloat16.

struct PieceF32 { static constexpr bool HALVES = false, F16 = false; float v[8]; };

DEVICE void fetch(PieceF32 &p, const u8 *data, i64 element, int count, bool aligned) {
  const float *from = (const float *)data + element;
  if (aligned) {
    float4 low = {0.0f, 0.0f, 0.0f, 0.0f}, high = low;
    if (count >= 4) low = *(const float4 *)from;
    if (count >= 8) high = *(const float4 *)(from + 4);
    p.v[0] = low.x, p.v[1] = low.y, p.v[2] = low.z, p.v[3] = low.w, p.v[4] = high.x, p.v[5] = high.y, p.v[6] = high.z, p.v[7] = high.w;
  } else {
    for (int i = 0; i < 8; i++) p.v[i] = i < count ? from[i] : 0.0f;
  }
}

DEVICE void unpack(float v[8], const PieceF32 &p) { for (int i = 0; i < 8; i++) v[i] = p.v[i]; }

struct PieceHalves { static constexpr bool HALVES = true; u32 pair[4]; };
struct PieceF16 : PieceHalves { static constexpr bool F16 = true; };
struct PieceBF16 : PieceHalves { static constexpr bool F16 = false; };

DEVICE void fetch(PieceHalves &p, const u8 *data, i64 element, int count, bool aligned) {
  const u16 *from = (const u16 *)data + element;
  if (aligned) {
    uint4 all = {0u, 0u, 0u, 0u};
    if (count == 8) all = *(const uint4 *)from;
    p.pair[0] = all.x, p.pair[1] = all.y, p.pair[2] = all.z, p.pair[3] = all.w;
  } else {
    for (int i = 0; i < 4; i++) p.pair[i] = (2 * i < count ? (u32)from[2 * i] : 0u) | (2 * i + 1 < count ? (u32)from[2 * i + 1] << 16 : 0u);
  }
}

DEVICE void unpack(float v[8], const PieceF16 &p) {
  for (int i = 0; i < 4; i++) v[2 * i] = f16_to_f32((u16)p.pair[i]), v[2 * i + 1] = f16_to_f32((u16)(p.pair[i] >> 16));
}

// A quarter of a block of Q8_0: an F16 scale and 32 signed bytes, aligned to 2 only. Heads are whole blocks.
struct PieceQ8 { static constexpr bool HALVES = false, F16 = false; u16 scale; u16 pair[4]; };

DEVICE void fetch(PieceQ8 &p, const u8 *data, i64 element, int count, bool) {
  const u16 *block = (const u16 *)(data + (element >> 5) * 34);
  const u16 *from = block + 1 + ((element & 31) >> 1);
  p.scale = count > 0 ? block[0] : (u16)0;
  for (int i = 0; i < 4; i++) p.pair[i] = count > 0 ? from[i] : (u16)0;
}

DEVICE void unpack(float v[8], const PieceQ8 &p) {
  float scale = f16_to_f32(p.scale);
  for (int i = 0; i < 4; i++) v[2 * i] = scale * (float)(i8)(p.pair[i] & 255), v[2 * i + 1] = scale * (float)(i8)(p.pair[i] >> 8);
}

// ---- which keys a row sees ----------------------------------------------------------------------------------------------------------------------------

// Rows of a paged cache. shift: log2(pageSize), or -1 where that is no power of two.
struct Paged {
  static constexpr bool BIASED = false;
  const int *positions, *sequences, *pageTable;
  int n, pageSize, shift, maxPages, window, manyRows;
};

// The row of the cache where a position of a sequence lies.
DEVICE i64 key_row(const Paged &p, int sequence, int position) {
  int page = p.shift >= 0 ? position >> p.shift : position / p.pageSize;
  return (i64)p.pageTable[(i64)sequence * p.maxPages + page] * p.pageSize + (position - page * p.pageSize);
}

// Whether a sequence has manyRows rows or more, by one of them: those go through the tensor cores as tiles, the others one by one with their positions split. Rows of a sequence are
// neighbours, so the first of them is found by halving.
DEVICE bool has_many_rows(const Paged &p, int row) {
  if (p.manyRows <= 1) return true;
  int sequence = p.sequences[row], low = max(0, row - p.manyRows + 1), high = row;
  while (low < high) {
    int middle = (low + high) >> 1;
    if (p.sequences[middle] == sequence) high = middle;
    else low = middle + 1;
  }
  return high + p.manyRows <= p.n && p.sequences[high + p.manyRows - 1] == sequence;
}

DEVICE int first_seen(int end, int window) { return window == 0 ? 0 : max(0, end - window); }
