// Attention of many rows on tensor cores (Dao 2023, arXiv:2307.08691): tiles of queries stay in shared memory, tiles of keys and values pass, the softmax is computed as they come, in F32.
// Products take halves: float16 where the cache has them, which are then used as they are, otherwise bfloat16.
//
// A block has M = 16 WM columns: (row, query head of one key head) pairs, groupTile heads of each of tileRows rows, so that grouped queries share the keys that are loaded and a tile of few
// rows is still full. Its WM x WK warps take 16 columns each and, where WK > 1, each its share of a tile's N keys. A tile may hold rows of several sequences: the block then passes over the
// keys of one after the other. Up to NV numbers of a value head are mixed; wider ones are cut into slices along the grid.
// Grid x: tiles x kvHeads x headTiles x slices, the tiles with most to do first; y: splits, shares of the positions where there are too few tiles for the GPU; blocks of 32 WM WK threads.
// Shared memory: M x (depth + 8), then `stages` times N x (depth + 8 + width + 8) halves, depth and width being head dims padded to 16. 8 more halves a row put the 8 rows that a matrix is
// loaded from on different banks. With two stages the next tile is copied while this one is computed. With WK > 1 at the end, in the same place: the warps' states, M (NV + 8) floats.
#pragma once
#include "attention.cuh"

template <bool F16> DEVICE u32 pack(float low, float high) { return F16 ? pack_f16(low, high) : pack_bf16(low, high); }
template <bool F16> DEVICE void multiply_halves(float d[4], const u32 a[4], const u32 b[2]) {
  if constexpr (F16) multiply_f16(d, a, b);
  else multiply_bf16(d, a, b);
}

// Where results go: y, or where splits > 1, as in attention_decode.cuh: mixes, states and targets of M columns for each tile, key head and head tile.
struct Result { float *y, *mixes, *states; int *targets; int splits; };

// Rows of a packed batch: those of one sequence share a start and are neighbours.
struct Packed { static constexpr bool BIASED = false; const int *starts; int n, window; bool causal; };

// Sequences of `queries` rows, each with as many keys side by side as `keys`, of which the first lengths[sequence] count, all where lengths is null; bias [heads, queries, keys] may be null.
struct Cross { static constexpr bool BIASED = true; const int *lengths; const float *bias; int n, queries, keys; };

DEVICE i64 key_row(const Packed &, int, int position) { return position; }
DEVICE int sequence_of(const Packed &, int) { return 0; }
DEVICE int sequence_of(const Paged &p, int row) { return p.sequences[row]; }
DEVICE i64 key_row(const Cross &c, int sequence, int position) { return (i64)sequence * c.keys + position; }
DEVICE int sequence_of(const Cross &c, int row) { return row / c.queries; }
DEVICE int rows_of(const Cross &c) { return c.n; }
DEVICE int same_until(const Cross &c, int row, int end) { return min(end, (row / c.queries + 1) * c.queries); }
DEVICE int rows_of(const Packed &p) { return p.n; }
DEVICE int rows_of(const Paged &p) { return p.n; }

// Keys of a packed batch lie side by side, so one pass serves all rows of a tile.
DEVICE int same_until(const Packed &, int, int end) { return end; }

// Where the stretch of rows of one sequence that begins at row ends, end at most; a warp computes it for rows of one tile.
DEVICE int same_until(const Paged &p, int row, int end) {
  int lane = threadIdx.x & 31, sequence = p.sequences[row];
  for (int base = row; base < end; base += 32) {
    u32 others = warp_ballot(base + lane < end && p.sequences[min(base + lane, end - 1)] != sequence);
    if (others != 0u) return base + count_bits((others & (0u - others)) - 1u);
  }
  return end;
}

// Row sees keys from .. to - 1; none where the row is not for this kernel.
DEVICE void seen(const Packed &p, int row, int &from, int &to) {
  int start = p.starts[row];
  if (p.causal) {
    from = max(start, first_seen(row + 1, p.window));
    to = row + 1;
  } else {
    int low = row + 1, high = p.n;                                                    // the first row of another start, or n: starts grow
    while (low < high) {
      int middle = (low + high) >> 1;
      if (p.starts[middle] != start) high = middle;
      else low = middle + 1;
    }
    from = start;
    to = low;
  }
}

DEVICE void seen(const Cross &c, int row, int &from, int &to) {
  from = 0;
  to = c.lengths ? c.lengths[row / c.queries] : c.keys;
}

DEVICE void seen(const Paged &p, int row, int &from, int &to) {
  bool mine = has_many_rows(p, row);
  to = mine ? p.positions[row] + 1 : 0;
  from = mine ? first_seen(to, p.window) : 0;
}

// A piece of 8 numbers as halves in shared memory.
template <class Piece> DEVICE void put(u16 *to, const u8 *data, i64 element, int count, bool aligned) {
  if (Piece::HALVES && aligned) {
    copy_async(to, count > 0 ? data + element * 2 : data, count > 0 ? 16 : 0);
    return;
  }
  Piece piece;
  fetch(piece, data, element, count, aligned);
  if constexpr (Piece::HALVES) {
    *(uint4 *)to = uint4{piece.pair[0], piece.pair[1], piece.pair[2], piece.pair[3]};
  } else {
    float v[8];
    unpack(v, piece);
    *(uint4 *)to = uint4{pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
  }
}

// Part of a head (dims numbers from offset on, padded with zeros to pieces of 8) of the rows of keys first .. first + N - 1, zeros from end on. So many lanes as a power of two that holds the
// pieces take a row together.
template <int N, int THREADS, class Piece, class Rows>
DEVICE void load_tile(u16 *tile, int pitch, const u8 *data, const Rows &rows, int sequence, int first, int end, int rowElements, int offset, int dims, int pieces, bool aligned) {
  int lanes = 1;
  while (lanes < pieces && lanes < 32) lanes <<= 1;
  int lane = threadIdx.x & (lanes - 1);
  for (int key = threadIdx.x / lanes; key < N; key += THREADS / lanes) {
    bool inside = first + key < end;
    i64 element = inside ? key_row(rows, sequence, first + key) * rowElements + offset : 0;
    for (int piece = lane; piece < pieces; piece += lanes) {
      put<Piece>(tile + key * pitch + 8 * piece, data, element + 8 * piece, inside ? max(0, min(8, dims - 8 * piece)) : 0, aligned);
    }
  }
}

// keyElements, valueElements: numbers in a row of keys and values; keyDim, valueWidth: numbers of a head as they lie there (padded, in a packed batch).
template <int NV, int WM, int WK, int N, class Piece, class Rows>
DEVICE void flash(const Result &result, const float *q, const u8 *keys, const u8 *values, int keyDim, int valueWidth, const Rows &rows, const Heads &h, int tileRows, int slices, int stages,
                  bool alignedKeys, bool alignedValues) {
  constexpr bool F16 = Piece::F16;
  constexpr int M = 16 * WM, THREADS = 32 * WM * WK, KEYS = N / WK;
  DYNAMIC_SHARED(u16, shared);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, wm = warp % WM, wk = warp / WM, quad = lane & 3, splits = result.splits, split = blockIdx.y;
  int block = blockIdx.x, slice = block % slices;
  block /= slices;
  int headTile = block % h.headTiles;
  block /= h.headTiles;
  int kvHead = block % h.kvHeads, n = rows_of(rows), tile = (n + tileRows - 1) / tileRows - 1 - block / h.kvHeads;
  int group = h.heads / h.kvHeads, firstHead = kvHead * group + headTile * h.groupTile, headsHere = min(h.groupTile, group - headTile * h.groupTile);
  int row0 = tile * tileRows, rowEnd = min(n, row0 + tileRows);
  int depth = (h.headDim + 15) & ~15, pitch = depth + 8, width = min(NV, h.valueDim - slice * NV), paddedWidth = (width + 15) & ~15, valuePitch = paddedWidth + 8;
  int storedWidth = min(NV, valueWidth - slice * NV);
  u16 *queries = shared, *stage0 = shared + M * pitch;
  int stageSize = N * (pitch + valuePitch);

  // this thread's two columns of a warp's 16: the running maximum (of scores times log2 e), this thread's part of the sum, and which keys they see
  float mix[NV / 8][4], largest[2], sum[2];
  int row[2], from[2], to[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int column = wm * 16 + (lane >> 2) + 8 * i, at = column / h.groupTile, head = column - at * h.groupTile;
    bool there = row0 + at < rowEnd && head < headsHere, sinks = there && h.sinks != nullptr && split == 0 && wk == 0;
    row[i] = there ? row0 + at : -1;
    from[i] = to[i] = 0;
    if (there) seen(rows, row[i], from[i], to[i]);
    largest[i] = sinks ? h.sinks[firstHead + head] * LOG2E : NEVER;
    sum[i] = sinks && quad == 0 ? 1.0f : 0.0f;
  }
#pragma unroll
  for (int j = 0; j < NV / 8; j++) mix[j][0] = mix[j][1] = mix[j][2] = mix[j][3] = 0.0f;

  bool loaded = false;
  for (int low = row0, high; low < rowEnd; low = high) {
    high = same_until(rows, low, rowEnd);
    // what its rows see: first to last of all, and what lies between the latest begin and the soonest end is seen by each
    int first = 0x7fffffff, last = 0, latest = 0, soonest = 0x7fffffff;
    for (int i = low + lane; i < high; i += 32) {
      int a, b;
      seen(rows, i, a, b);
      if (a < b) first = min(first, a), last = max(last, b);
      latest = max(latest, a), soonest = min(soonest, b);
    }
    for (int mask = 16; mask > 0; mask >>= 1) {
      first = min(first, shuffle_xor(first, mask)), last = max(last, shuffle_xor(last, mask));
      latest = max(latest, shuffle_xor(latest, mask)), soonest = min(soonest, shuffle_xor(soonest, mask));
    }
    if (first >= last) continue;
    int share = ((last - first + splits - 1) / splits + N - 1) / N * N;
    int begin = first + (int)min((i64)split * share, (i64)(last - first)), end = min(last, begin + share), tiles = (end - begin + N - 1) / N, sequence = sequence_of(rows, low);
    if (tiles <= 0) continue;
    soonest = high - low == rowEnd - row0 ? min(soonest, end) : 0;                     // columns of other sequences see none of these keys

    if (!loaded) {
      float factor = query_factor(h);
      for (int column = warp; column < M; column += WM * WK) {
        int at = column / h.groupTile, head = column - at * h.groupTile;
        bool there = row0 + at < rowEnd && head < headsHere;
        const float *query = q + ((i64)(row0 + at) * h.heads + firstHead + head) * h.headDim;
        for (int d = 2 * lane; d < depth; d += 64) {
          *(u32 *)(queries + column * pitch + d) = pack<F16>(there && d < h.headDim ? query[d] * factor : 0.0f, there && d + 1 < h.headDim ? query[d + 1] * factor : 0.0f);
        }
      }
      loaded = true;
    }

    for (int index = 1 - stages; index < tiles; index++) {                            // with two stages the copies are a tile ahead
      int next = index + stages - 1, nextKey = begin + next * N;
      if (next < tiles) {
        u16 *to = stage0 + (stages == 2 ? next & 1 : 0) * stageSize;
        load_tile<N, THREADS, Piece>(to, pitch, keys, rows, sequence, nextKey, end, h.kvHeads * keyDim, kvHead * keyDim, keyDim, depth / 8, alignedKeys);
        load_tile<N, THREADS, Piece>(to + N * pitch, valuePitch, values, rows, sequence, nextKey, end, h.kvHeads * valueWidth, kvHead * valueWidth + slice * NV, storedWidth,
                                          paddedWidth / 8, alignedValues);
      }
      copy_async_commit();
      if (index < 0) continue;
      if (stages == 2) copy_async_wait<1>();
      else copy_async_wait<0>();
      __syncthreads();
      u16 *stage = stage0 + (stages == 2 ? index & 1 : 0) * stageSize;

      // scores: columns x keys of this warp
      const u16 *keyTile = stage + wk * KEYS * pitch, *valueTile = stage + N * pitch + wk * KEYS * valuePitch;
      float score[KEYS / 8][4];
#pragma unroll
      for (int j = 0; j < KEYS / 8; j++) score[j][0] = score[j][1] = score[j][2] = score[j][3] = 0.0f;
      const u16 *queryRow = queries + (wm * 16 + (lane & 15)) * pitch + (lane >> 4) * 8, *keyRow = keyTile + ((lane & 7) + (lane >> 4) * 8) * pitch + ((lane >> 3) & 1) * 8;
#pragma unroll 2
      for (int d = 0; d < depth; d += 16) {
        u32 a[4];
        load_matrices(a, queryRow + d);
#pragma unroll
        for (int j = 0; j < KEYS / 16; j++) {
          u32 b[4];
          load_matrices(b, keyRow + j * 16 * pitch + d);
          multiply_halves<F16>(score[2 * j], a, b);
          multiply_halves<F16>(score[2 * j + 1], a, b + 2);
        }
      }
      if (h.softCap > 0.0f) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
          for (int e = 0; e < 4; e++) score[j][e] = capped(score[j][e], h.softCap);
        }
      }
      int tileBegin = begin + index * N;
      if constexpr (Rows::BIASED) {
        if (rows.bias) {
#pragma unroll
          for (int i = 0; i < 2; i++) {
            if (row[i] < low || row[i] >= high) continue;
            int head = firstHead + (wm * 16 + (lane >> 2) + 8 * i) % h.groupTile, key = tileBegin + wk * KEYS + 2 * quad;
            const float *bias = rows.bias + ((i64)head * rows.queries + row[i] % rows.queries) * rows.keys;
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
              for (int e = 0; e < 2; e++) if (key + 8 * j + e < end) score[j][2 * i + e] += bias[key + 8 * j + e] * LOG2E;
            }
          }
        }
      }
      if (tileBegin < latest || tileBegin + N > soonest) {
        int key = tileBegin + wk * KEYS + 2 * quad;
#pragma unroll
        for (int i = 0; i < 2; i++) {
          bool here = row[i] >= low && row[i] < high;
          int a = here ? from[i] : 0, b = here ? min(to[i], end) : 0;
#pragma unroll
          for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int e = 0; e < 2; e++) if (key + 8 * j + e < a || key + 8 * j + e >= b) score[j][2 * i + e] = NEVER;
          }
        }
      }

      // the softmax so far
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float most = largest[i];
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) most = fmaxf(most, fmaxf(score[j][2 * i], score[j][2 * i + 1]));
        most = fmaxf(most, shuffle_xor(most, 1));
        most = fmaxf(most, shuffle_xor(most, 2));
        float correction = relative(largest[i], most), base = most == NEVER ? 0.0f : most;
        largest[i] = most;
        sum[i] *= correction;
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
          for (int e = 2 * i; e < 2 * i + 2; e++) {
            score[j][e] = fast_exp2(score[j][e] - base);
            sum[i] += score[j][e];
          }
        }
#pragma unroll
        for (int j = 0; j < NV / 8; j++) mix[j][2 * i] *= correction, mix[j][2 * i + 1] *= correction;
      }

      // the values mixed by them
      const u16 *valueRow = valueTile + (lane & 15) * valuePitch + (lane >> 4) * 8;
#pragma unroll
      for (int j = 0; j < KEYS / 16; j++) {
        u32 a[4] = {pack<F16>(score[2 * j][0], score[2 * j][1]), pack<F16>(score[2 * j][2], score[2 * j][3]),
                    pack<F16>(score[2 * j + 1][0], score[2 * j + 1][1]), pack<F16>(score[2 * j + 1][2], score[2 * j + 1][3])};
#pragma unroll
        for (int t = 0; t < NV / 16; t++) {
          if (t * 16 < width) {
            u32 b[4];
            load_matrices_transposed(b, valueRow + j * 16 * valuePitch + t * 16);
            multiply_halves<F16>(mix[2 * t], a, b);
            multiply_halves<F16>(mix[2 * t + 1], a, b + 2);
          }
        }
      }
      __syncthreads();
    }
  }

  // the warps of different keys, whose columns are the same
  if constexpr (WK > 1) {
    constexpr int LANES = 32 * WM;
    float *others = (float *)shared;
    int at = wm * 32 + lane;
    __syncthreads();
    for (int turn = 1; turn < WK; turn++) {
      if (wk == turn) {
#pragma unroll
        for (int i = 0; i < 2; i++) others[i * LANES + at] = largest[i], others[(2 + i) * LANES + at] = sum[i];
#pragma unroll
        for (int j = 0; j < NV / 2; j++) others[(4 + j) * LANES + at] = mix[j / 4][j % 4];
      }
      __syncthreads();
      if (wk == 0) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          float other = others[i * LANES + at], most = fmaxf(largest[i], other), mine = relative(largest[i], most), its = relative(other, most);
          largest[i] = most;
          sum[i] = sum[i] * mine + others[(2 + i) * LANES + at] * its;
#pragma unroll
          for (int j = 0; j < NV / 8; j++) {
#pragma unroll
            for (int e = 2 * i; e < 2 * i + 2; e++) mix[j][e] = mix[j][e] * mine + others[(4 + 4 * j + e) * LANES + at] * its;
          }
        }
      }
      __syncthreads();
    }
  }

  i64 item0 = (((i64)tile * h.kvHeads + kvHead) * h.headTiles + headTile) * M;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    float total = sum[i];
    total += shuffle_xor(total, 1);
    total += shuffle_xor(total, 2);
    int column = wm * 16 + (lane >> 2) + 8 * i;
    bool there = from[i] < to[i];
    i64 target = (i64)row[i] * h.heads + firstHead + column % h.groupTile, part = (item0 + column) * splits + split;
    if (wk == 0 && splits > 1 && slice == 0 && quad == 0) {
      if (split == 0) result.targets[item0 + column] = there ? (int)target : -1;
      result.states[part * 2] = largest[i];
      result.states[part * 2 + 1] = total;
    }
    if (wk == 0 && there && (splits == 1 || total != 0.0f)) {
      float *out = (splits == 1 ? result.y + target * h.valueDim : result.mixes + part * h.valueDim) + slice * NV, factor = splits == 1 ? 1.0f / total : 1.0f;
#pragma unroll
      for (int j = 0; j < NV / 8; j++) {
        int d = 8 * j + 2 * quad;
        if (d < width) out[d] = mix[j][2 * i] * factor;
        if (d + 1 < width) out[d + 1] = mix[j][2 * i + 1] * factor;
      }
    }
  }
}
