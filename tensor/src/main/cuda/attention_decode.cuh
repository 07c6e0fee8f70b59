// Attention of few rows of a sequence over a paged cache: "flash decoding". All sums in F32, keys and values as the cache has them.
//
// A row's positions are split into `splits` shares, so that a batch of one sequence fills a GPU. Grid x: rows x kvHeads x headTiles, y: splits; blocks of 128 threads; shared memory: the
// queries, HG heads of 8 lanes floats, then of each of 4 warps HG heads of 8 lanes + 2 floats. How long a sequence is stands in device memory only: each block computes its share from its row's position, and one without positions returns.
// A key's head is spread over `lanes` lanes, 8 numbers each, so 32 / lanes keys pass through a warp side by side; U keys of each are loaded before the first is used, which keeps 32 KB a
// multiprocessor under way. HG query heads of one key head use what was loaded. Each group of lanes has its own running maximum, sum and mix; they are merged at the end, first within the
// warp, then over the block, then (attention_combine) over the shares.
#pragma once
#include "attention.cuh"

// The row of the slot-th row whose sequence has few rows, or -1. Every warp computes it.
DEVICE int row_of_slot(const Paged &p, int slot) {
  if (p.manyRows > p.n) return slot;
  int lane = threadIdx.x & 31;
  for (int base = 0; base < p.n; base += 32) {
    int row = base + lane;
    bool few = row < p.n && !has_many_rows(p, row);
    u32 votes = warp_ballot(few);
    int count = count_bits(votes);
    if (slot < count) return base + count_bits(warp_ballot(few && count_bits(votes & ((1u << (u32)lane) - 1u)) == slot) - 1u);
    slot -= count;
  }
  return -1;
}

// y is written where splits is 1. Otherwise, for each (slot, head) and split: mixes [.., valueDim], largest and sum of the share in states [.., 2]; and where the merged result goes, a row of
// y in heads or -1, in targets [slot, head].
template <class Piece, int HG, int U>
DEVICE void decode(float *y, const float *q, const u8 *keys, const u8 *values, const Paged &p, const Heads &h, float *mixes, float *states, int *targets, int splits, int lanes,
                   bool alignedKeys, bool alignedValues) {
  DYNAMIC_SHARED(float, shared);
  int thread = threadIdx.x, lane = thread & 31, warp = thread >> 5, piece = lane & (lanes - 1), side = lane / lanes, sides = 32 / lanes;
  int block = blockIdx.x, headTile = block % h.headTiles;
  block /= h.headTiles;
  int kvHead = block % h.kvHeads, slot = block / h.kvHeads, split = blockIdx.y, group = h.heads / h.kvHeads;
  int firstHead = kvHead * group + headTile * HG, headsHere = min(HG, group - headTile * HG);
  i64 item = (i64)slot * h.heads + firstHead;
  int row = row_of_slot(p, slot);
  if (splits > 1 && split == 0 && thread < headsHere) targets[item + thread] = row < 0 ? -1 : row * h.heads + firstHead + thread;
  if (row < 0) return;

  int sequence = p.sequences[row], end = p.positions[row] + 1, first = first_seen(end, p.window);
  int share = max(64, ((end - first + splits - 1) / splits + 31) & ~31);
  int begin = first + (int)min((i64)split * share, (i64)(end - first));
  end = min(end, begin + share);
  if (begin >= end && split > 0) {
    if (thread < headsHere) states[((item + thread) * splits + split) * 2] = NEVER, states[((item + thread) * splits + split) * 2 + 1] = 0.0f;
    return;
  }

  int keyCount = max(0, min(8, h.headDim - 8 * piece)), valueCount = max(0, min(8, h.valueDim - 8 * piece));
  // queries in shared memory, where all sides read the same: [head][half of a piece][lane][4], so that a load of 16 bytes a lane meets each bank once
  float mix[HG][8], largest[HG], sum[HG], factor = query_factor(h);
  for (int index = thread; index < HG * 8 * lanes; index += blockDim.x) {
    int i = index / (8 * lanes), rest = index - i * 8 * lanes, d = (rest % (4 * lanes)) / 4 * 8 + rest / (4 * lanes) * 4 + (rest & 3);
    shared[index] = i < headsHere && d < h.headDim ? q[((i64)row * h.heads + firstHead + i) * h.headDim + d] * factor : 0.0f;
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < HG; i++) {
    bool sinks = h.sinks != nullptr && split == 0 && warp == 0 && side == 0 && i < headsHere;
    largest[i] = sinks ? h.sinks[firstHead + i] * LOG2E : NEVER;
    sum[i] = sinks ? 1.0f : 0.0f;
#pragma unroll
    for (int e = 0; e < 8; e++) mix[i][e] = 0.0f;
  }

  int step = 4 * sides;
  for (int base = begin + warp * sides + side; base - (warp * sides + side) < end; base += U * step) {
    Piece key[U], value[U];
#pragma unroll
    for (int u = 0; u < U; u++) {
      i64 keyRow = key_row(p, sequence, min(base + u * step, end - 1)) * h.kvHeads + kvHead;
      fetch(key[u], keys, keyRow * h.headDim + 8 * piece, keyCount, alignedKeys);
      fetch(value[u], values, keyRow * h.valueDim + 8 * piece, valueCount, alignedValues);
    }
    float score[HG][U];
#pragma unroll
    for (int u = 0; u < U; u++) {
      float k[8];
      unpack(k, key[u]);
#pragma unroll
      for (int i = 0; i < HG; i++) {
        const float4 low = *(const float4 *)(shared + (i * 2 * lanes + piece) * 4), high = *(const float4 *)(shared + ((i * 2 + 1) * lanes + piece) * 4);
        score[i][u] = low.x * k[0] + low.y * k[1] + low.z * k[2] + low.w * k[3] + high.x * k[4] + high.y * k[5] + high.z * k[6] + high.w * k[7];
      }
    }
    for (int mask = lanes >> 1; mask > 0; mask >>= 1) {
#pragma unroll
      for (int i = 0; i < HG; i++) {
#pragma unroll
        for (int u = 0; u < U; u++) score[i][u] += shuffle_xor(score[i][u], mask);
      }
    }
#pragma unroll
    for (int i = 0; i < HG; i++) {
      float before = largest[i];
#pragma unroll
      for (int u = 0; u < U; u++) {
        if (h.softCap > 0.0f) score[i][u] = capped(score[i][u], h.softCap);
        if (base + u * step >= end) score[i][u] = NEVER;
        largest[i] = fmaxf(largest[i], score[i][u]);
      }
      float correction = relative(before, largest[i]);
      sum[i] *= correction;
#pragma unroll
      for (int e = 0; e < 8; e++) mix[i][e] *= correction;
#pragma unroll
      for (int u = 0; u < U; u++) {
        score[i][u] = relative(score[i][u], largest[i]);
        sum[i] += score[i][u];
      }
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
      float v[8];
      unpack(v, value[u]);
#pragma unroll
      for (int i = 0; i < HG; i++) {
#pragma unroll
        for (int e = 0; e < 8; e++) mix[i][e] += score[i][u] * v[e];
      }
    }
  }

  // the keys side by side in a warp, then the four warps
  for (int mask = lanes; mask < 32; mask <<= 1) {
#pragma unroll
    for (int i = 0; i < HG; i++) {
      float other = shuffle_xor(largest[i], mask), most = fmaxf(largest[i], other), mine = relative(largest[i], most), its = relative(other, most);
      sum[i] = sum[i] * mine + shuffle_xor(sum[i], mask) * its;
      largest[i] = most;
#pragma unroll
      for (int e = 0; e < 8; e++) mix[i][e] = mix[i][e] * mine + shuffle_xor(mix[i][e], mask) * its;
    }
  }
  int width = 8 * lanes;
  float *mixed4 = shared + HG * width, *states4 = mixed4 + 4 * HG * width;                                       // [warp][head][largest, sum]
  if (side == 0) {
#pragma unroll
    for (int i = 0; i < HG; i++) {
      float *to = mixed4 + (warp * HG + i) * width + 8 * piece;
#pragma unroll
      for (int e = 0; e < 8; e++) to[e] = mix[i][e];
      if (piece == 0) states4[(warp * HG + i) * 2] = largest[i], states4[(warp * HG + i) * 2 + 1] = sum[i];
    }
  }
  __syncthreads();
  for (int index = thread; index < headsHere * h.valueDim; index += blockDim.x) {
    int i = index / h.valueDim, d = index - i * h.valueDim;
    float most = NEVER, total = 0.0f, mixed = 0.0f;
    for (int w = 0; w < 4; w++) most = fmaxf(most, states4[(w * HG + i) * 2]);
    for (int w = 0; w < 4; w++) {
      float weight = relative(states4[(w * HG + i) * 2], most);
      total += weight * states4[(w * HG + i) * 2 + 1];
      mixed += weight * mixed4[(w * HG + i) * width + d];
    }
    if (splits == 1) {
      y[((i64)row * h.heads + firstHead + i) * h.valueDim + d] = mixed / total;
    } else {
      i64 part = (item + i) * splits + split;
      mixes[part * h.valueDim + d] = mixed;
      if (d == 0) states[part * 2] = most, states[part * 2 + 1] = total;
    }
  }
}
