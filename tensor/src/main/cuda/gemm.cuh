// Products of matrices on tensor cores: C = A B with A and B in bfloat16, sums in F32. One core, product<>(), for the three products of a linear map:
//   y = x Wᵀ        A = x [n, in], B = W [out, in], both with k along their rows
//   dx += dy W      A = dy [n, out], B = W [out, in], whose rows are k
//   dW += dyᵀ x     A = dy, B = x, the rows of both are k
// Block: 128 threads, 4 warps. A block makes a tile of C, ROWS (128 or 64) x 128, from slices of 32 along k: with 128 rows the warps stand 2 x 2 and each owns 64 x 64, with 64 they
// stand side by side and each owns 64 x 32, leaving out the products of 16 rows that do not exist. Of a warp's 16 x 8 pieces thread l owns rows l / 4 and l / 4 + 8, columns 2 (l % 4) and the next.
// Shared memory: 48 KiB dynamic, 3 slices of A and B (128 rows) or 4 (64 rows): the slices to come are copied (cp.async) while one is multiplied. Rows are cut into chunks of 16 bytes
// which lie in swizzled order, so that neither the copies nor ldmatrix meet a bank twice.
// Weights that are not bfloat16 go through registers: each thread reads parts of its share of a slice before products of an earlier one and stores them as bfloat16 after these.
// Designed for 2 blocks on a multiprocessor (255 registers): a warp's 64 products of a slice take about 420 cycles on an H100's scheduler and read 16 KiB of shared memory, under what it gives.
// Factors are rounded to 8 bits of mantissa; results equal ReferenceKernels.linear and ReferenceGradients.linearInput, linearWeight to about 1e-5 (normalised mean squared error).
#pragma once
#include "blocks.cuh"

enum { SLICE = 32, COLUMNS = 128, THREADS = 128 };

// ---- where a chunk of 8 numbers lies in a tile, in bytes ------------------------------------------------------------------------------------------------------

// Rows of 32 numbers, 64 bytes: 8 rows at one chunk are in 8 different groups of 4 banks.
DEVICE int narrow(int row, int chunk) { return row * 64 + ((chunk ^ (row >> 1 & 3)) << 4); }
// Rows of 128 numbers, 256 bytes: the same for 8 rows at one chunk, for 8 neighbouring chunks of a row, and for chunks 4 apart in two rows.
DEVICE int wide(int row, int chunk) { return row * 256 + (((chunk & 8) | ((chunk ^ row ^ (chunk >> 3 << 1)) & 7)) << 4); }

// ---- a bfloat16 matrix, slice after slice ----------------------------------------------------------------------------------------------------------------------

// What a thread copies next. Rows begin at multiples of 16 bytes; what lies outside of the matrix comes as zeros.
struct Copies {
  const u16 *at;
  i64 pitch;          // numbers from row to row
  int left;           // rows (K_DOWN: columns) from the thread's first to the last that exists
  int k, end;
};

// K_DOWN: k counts rows and the tile takes columns from first on; otherwise k counts columns and the tile takes rows.
template <bool K_DOWN> DEVICE Copies copies(const u16 *matrix, i64 pitch, int first, int limit, int k, int end) {
  int t = threadIdx.x;
  Copies c;
  c.pitch = pitch;
  c.end = end;
  if (K_DOWN) {
    c.k = k + (t >> 4);
    c.left = limit - first - 8 * (t & 15);
    c.at = matrix + c.k * pitch + first + 8 * (t & 15);
  } else {
    c.k = k + 8 * (t & 3);
    c.left = limit - first - (t >> 2);
    c.at = matrix + (first + (t >> 2)) * pitch + c.k;
  }
  return c;
}

template <bool K_DOWN, int SIZE> DEVICE void copy_slice(Copies &c, u8 *tile) {
  int t = threadIdx.x;
  if (K_DOWN) {
#pragma unroll
    for (int i = 0; i < SLICE; i += 8) copy_async(tile + wide((t >> 4) + i, t & 15), c.at + i * c.pitch, c.left > 0 && c.k + i < c.end ? 16 : 0);
    c.at += SLICE * c.pitch;
  } else {
#pragma unroll
    for (int i = 0; i < SIZE; i += 32) copy_async(tile + narrow((t >> 2) + i, t & 3), c.at + i * c.pitch, i < c.left && c.k < c.end ? 16 : 0);
    c.at += SLICE;
  }
  c.k += SLICE;
}

// ---- weights of any format, slice after slice ------------------------------------------------------------------------------------------------------------------

// A thread's share of a slice are 4 chunks: of floats every eighth or 32nd row's, so that a warp reads without gaps; of blocks 32 numbers side by side, which share their scales.
// Rows and columns beyond the matrix repeat the last: they meet zeros of A, or columns of C that are not written.
struct Share {
  const u8 *weight;
  i64 pitch;          // bytes from row to row
  int first, limit;   // columns of C
};

template <int FORMAT> DEVICE constexpr bool blocks() { return FORMAT != F32 && FORMAT != F16 && FORMAT != BF16; }

template <int FORMAT, bool K_DOWN> DEVICE void place(int q, int &row, int &chunk) {
  int t = threadIdx.x;
  if (K_DOWN) {
    row = blocks<FORMAT>() ? t >> 2 : (t >> 4) + 8 * q;
    chunk = blocks<FORMAT>() ? ((t & 3) << 2) + q : t & 15;
  } else {
    row = blocks<FORMAT>() ? t : (t >> 2) + 32 * q;
    chunk = blocks<FORMAT>() ? q : t & 3;
  }
}

// Elements k to k + 7 of a row, both aligned to 16 bytes where they are floats.
template <int FORMAT> DEVICE void read8(const u8 *row, i64 k, float out[8]) {
  if (FORMAT == F32) {
    float4 low = ((const float4 *)row)[k >> 2], high = ((const float4 *)row)[(k >> 2) + 1];
    out[0] = low.x; out[1] = low.y; out[2] = low.z; out[3] = low.w;
    out[4] = high.x; out[5] = high.y; out[6] = high.z; out[7] = high.w;
  } else if (FORMAT == F16) {
    uint4 words = ((const uint4 *)row)[k >> 3];
    u32 pairs[4] = { words.x, words.y, words.z, words.w };
#pragma unroll
    for (int i = 0; i < 8; i++) out[i] = f16_to_f32((u16)(pairs[i >> 1] >> 16 * (i & 1)));
  } else {
    weight8<FORMAT>(row, k, out);
  }
}

// How many chunks a thread reads at a time: those that share scales, as far as there are registers.
template <int FORMAT> DEVICE constexpr int together() { return Block<FORMAT>::GROUP == 16 ? 1 : 2; }

// Chunks first, .. of the thread's share of a slice, rounded.
template <int FORMAT, bool K_DOWN> DEVICE void read_share(u32 values[8], const Share &s, int slice, int depth, int first) {
#pragma unroll
  for (int q = 0; q < together<FORMAT>(); q++) {
    int row, chunk, k;
    place<FORMAT, K_DOWN>(first + q, row, chunk);
    if (K_DOWN) {
      row = min(slice * SLICE + row, depth - 1);
      k = blocks<FORMAT>() ? (opaque(min((s.first >> 5) + (chunk >> 2), (s.limit >> 5) - 1)) << 5) + 8 * (first + q) : min(s.first + 8 * chunk, s.limit - 8);
    } else {
      row = min(s.first + row, s.limit - 1);
      k = blocks<FORMAT>() ? (slice << 5) + 8 * (first + q) : min(slice * SLICE + 8 * chunk, depth - 8);
    }
    float out[8];
    read8<FORMAT>(s.weight + row * s.pitch, (u32)k, out);
#pragma unroll
    for (int i = 0; i < 4; i++) values[4 * q + i] = pack_bf16(out[2 * i], out[2 * i + 1]);
  }
}

template <int FORMAT, bool K_DOWN> DEVICE void store_share(u8 *tile, const u32 values[8], int first) {
#pragma unroll
  for (int q = 0; q < together<FORMAT>(); q++) {
    int row, chunk;
    place<FORMAT, K_DOWN>(first + q, row, chunk);
    *(uint4 *)(tile + (K_DOWN ? wide(row, chunk) : narrow(row, chunk))) = { values[4 * q], values[4 * q + 1], values[4 * q + 2], values[4 * q + 3] };
  }
}

// ---- a tile of the product --------------------------------------------------------------------------------------------------------------------------------------

struct Tile {
  const u16 *a; i64 a_pitch;      // bfloat16, numbers from row to row, a multiple of 8
  int row, rows;                  // the tile's first row of C (A) and the end of those that exist
  const u8 *b; i64 b_pitch;       // weights, bytes from row to row
  int column, columns;            // the tile's first column of C and the number of those that exist
  int k, k_end, depth;            // what is summed (a multiple of 32 where b is read through registers), and the size of b along k
  float *c;                       // rows of columns floats
  const int *order;               // where row i of A goes in C; null: to row i
  const float *bias;              // of columns, or null
  int accumulate;                 // whether to add to c
};

// Where the factors of a product come from, slice after slice, and to which row of C row i of A goes: here matrices whose rows lie one after the other; convolution.cuh has windows on pictures.
struct Matrices {};

template <bool K_DOWN> DEVICE Copies copies_of_a(const Matrices &, const Tile &t) { return copies<K_DOWN>(t.a, t.a_pitch, t.row, t.rows, t.k, t.k_end); }
template <bool K_DOWN> DEVICE Copies copies_of_b(const Matrices &, const Tile &t) { return copies<K_DOWN>((const u16 *)t.b, t.b_pitch >> 1, t.column, t.columns, t.k, t.k_end); }
DEVICE Share share_of_b(const Matrices &, const Tile &t) { return { t.b, t.b_pitch, t.column, t.columns }; }
// Called before parts of a slice are read: that of the call before, or the next.
DEVICE void turn_to(const Matrices &, Share &, int) {}
DEVICE int row_of_c(const Matrices &, const Tile &t, int row) { return t.order ? t.order[row] : row; }

template <int FORMAT, bool A_DOWN, bool B_DOWN, int ROWS, class FROM = Matrices> DEVICE void product(const Tile &tile, const FROM &from_where = FROM()) {
  DYNAMIC_SHARED(u8, shared);
  constexpr int STAGES = ROWS == 128 ? 3 : 4, A_BYTES = ROWS * SLICE * 2, STAGE = A_BYTES + COLUMNS * SLICE * 2;
  constexpr int ACROSS = ROWS == 128 ? 2 : 4, WIDTH = COLUMNS / ACROSS, PAIRS = WIDTH / 16;
  constexpr bool COPIED = FORMAT == BF16;
  constexpr int TOGETHER = together<FORMAT>();
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warp_row = warp / ACROSS, warp_column = warp % ACROSS;
  int live = ROWS == 128 ? 4 : min(4, (tile.rows - tile.row + 15) >> 4);           // pieces of 16 rows that exist
  int slices = (tile.k_end - tile.k + SLICE - 1) / SLICE, first_slice = tile.k / SLICE;

  auto a = copies_of_a<A_DOWN>(from_where, tile);
  auto b = copies_of_b<B_DOWN>(from_where, tile);
  auto share = share_of_b(from_where, tile);
  u32 values[8];

  float sums[4][2 * PAIRS][4];
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 2 * PAIRS; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) sums[i][j][e] = 0.0f;

#pragma unroll 1
  for (int s = 0; s < STAGES - 1; s++) {
    u8 *stage = shared + s * STAGE;
    if (s < slices) {
      copy_slice<A_DOWN, ROWS>(a, stage);
      if (COPIED) copy_slice<B_DOWN, COLUMNS>(b, stage + A_BYTES);
      else turn_to(from_where, share, first_slice + s);
#pragma unroll 1
      for (int q = 0; !COPIED && q < 4; q += TOGETHER) {
        read_share<FORMAT, B_DOWN>(values, share, first_slice + s, tile.depth, q);
        store_share<FORMAT, B_DOWN>(stage + A_BYTES, values, q);
      }
    }
    copy_async_commit();
  }

  int from = 0, to = STAGES - 1;                                                    // the stage that is multiplied, the stage that is filled
  for (int s = 0; s < slices; s++) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();                                                                // the slice is there for all, and all are done with the stage to be filled
    u8 *at = shared + from * STAGE, *next = shared + to * STAGE;
    if (s + STAGES - 1 < slices) {
      copy_slice<A_DOWN, ROWS>(a, next);
      if (COPIED) copy_slice<B_DOWN, COLUMNS>(b, next + A_BYTES);
    }
    copy_async_commit();
    int next_slice = first_slice + min(s + STAGES - 1, slices - 1);                 // at the end the last once more, into a stage that nobody reads: no branch between loads and products
    if (!COPIED) turn_to(from_where, share, next_slice);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      if (!COPIED) read_share<FORMAT, B_DOWN>(values, share, next_slice, tile.depth, 2 * half);
      u32 bs[PAIRS][4], as[2][4];
#pragma unroll
      for (int j = 0; j < PAIRS; j++) {
        if (B_DOWN) load_matrices_transposed(bs[j], at + A_BYTES + wide(half * 16 + (lane & 15), (warp_column * WIDTH >> 3) + 2 * j + (lane >> 4)));
        else load_matrices(bs[j], at + A_BYTES + narrow(warp_column * WIDTH + 16 * j + (lane & 7) + (lane >> 4) * 8, half * 2 + (lane >> 3 & 1)));
      }
#pragma unroll
      for (int i = -1; i < 4; i++) {                                                // the next 16 rows of A are loaded before the products of 16
        if (i < 3 && (ROWS == 128 || i + 1 < live)) {
          if (A_DOWN) load_matrices_transposed(as[i + 1 & 1], at + wide(half * 16 + (lane & 7) + (lane >> 4) * 8, warp_row * 8 + 2 * (i + 1) + (lane >> 3 & 1)));
          else load_matrices(as[i + 1 & 1], at + narrow(warp_row * 64 + 16 * (i + 1) + (lane & 15), half * 2 + (lane >> 4)));
        }
        if (i >= 0 && (ROWS == 128 || i < live)) {
#pragma unroll
          for (int j = 0; j < PAIRS; j++) {
            multiply_bf16(sums[i][2 * j], as[i & 1], bs[j]);
            multiply_bf16(sums[i][2 * j + 1], as[i & 1], bs[j] + 2);
          }
        }
        if (!COPIED && TOGETHER == 1 && i == 1) {
          store_share<FORMAT, B_DOWN>(next + A_BYTES, values, 2 * half);
          read_share<FORMAT, B_DOWN>(values, share, next_slice, tile.depth, 2 * half + 1);
        }
      }
      if (!COPIED) store_share<FORMAT, B_DOWN>(next + A_BYTES, values, 2 * half + 2 - TOGETHER);
    }
    from = from + 1 == STAGES ? 0 : from + 1;
    to = to + 1 == STAGES ? 0 : to + 1;
  }

  // Through shared memory, 64 rows at a time, so that a warp writes whole rows; 8 numbers beside each row of 128 keep the pairs of 8 rows in different banks.
  constexpr int PITCH = COLUMNS + 8;
  float *rows = (float *)shared;
  int left = min(tile.columns - tile.column, (int)COLUMNS);
#pragma unroll 1
  for (int part = 0; part < ROWS / 64; part++) {
    __syncthreads();                                                                // all are done with the stages, or with the rows before
    if (warp_row == part) {
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 2 * PAIRS; j++)
#pragma unroll
          for (int h = 0; h < 2; h++)
            *(float2 *)(rows + (16 * i + 8 * h + (lane >> 2)) * PITCH + warp_column * WIDTH + 8 * j + 2 * (lane & 3)) = { sums[i][j][2 * h], sums[i][j][2 * h + 1] };
    }
    __syncthreads();
    int end = min(64, tile.rows - tile.row - 64 * part);
#pragma unroll 1
    for (int r = warp; r < end; r += THREADS / 32) {
      int row = tile.row + 64 * part + r;
      float *c = tile.c + (i64)row_of_c(from_where, tile, row) * tile.columns + tile.column;
      if ((tile.columns & 3) == 0) {
        int at = 4 * lane;
        if (at >= left) continue;
        float4 v = *(const float4 *)(rows + r * PITCH + at);
        if (tile.bias) {
          const float *bias = tile.bias + tile.column + at;
          v = { v.x + bias[0], v.y + bias[1], v.z + bias[2], v.w + bias[3] };
        }
        if (tile.accumulate) {
          float4 old = *(const float4 *)(c + at);
          v = { v.x + old.x, v.y + old.y, v.z + old.z, v.w + old.w };
        }
        *(float4 *)(c + at) = v;
      } else {
        for (int at = lane; at < left; at += 32) {
          float v = rows[r * PITCH + at];
          if (tile.bias) v += tile.bias[tile.column + at];
          c[at] = tile.accumulate ? c[at] + v : v;
        }
      }
    }
  }
}

// The tile of block i: bands of 8 tiles down, in each band from top to bottom and then to the right, so that blocks that run at one time share rows and columns in the L2 cache.
DEVICE void tile_of(int i, int down, int across, int &row, int &column) {
  int band = i / (8 * across) * 8, height = min(8, down - band), in_band = i - band * across;
  row = band + in_band % height;
  column = in_band / height;
}

// y = x Wᵀ + bias, or with B_DOWN c (+)= a W. Grid: x the tiles, rows of C times columns; y parts of k, split slices each, whose sums go to c + part m n.
// With tiles each tile of rows is of one expert: tiles[2 i] is its number (-1: no tile) and tiles[2 i + 1] its first row; the expert's rows end at offsets[expert + 1], row r goes to
// row order[r] of C, and weight is [experts, ...].
template <int FORMAT, bool B_DOWN, int ROWS>
DEVICE void rows_product(float *c, const u16 *a, const u8 *weight, const float *bias, const int *order, const int *offsets, const int *tiles, i64 a_pitch, i64 pitch, int m, int n, int k,
                         int split, int accumulate) {
  int across = (n + COLUMNS - 1) / COLUMNS, down = gridDim.x / across, row, column, begin, end;
  tile_of(blockIdx.x, down, across, row, column);
  if (tiles) {
    int expert = tiles[2 * row];
    if (expert < 0) return;
    begin = tiles[2 * row + 1];
    end = offsets[expert + 1];
    weight += (i64)expert * (B_DOWN ? k : n) * pitch;
    if (bias) bias += (i64)expert * n;
  } else {
    begin = row * ROWS;
    end = m;
  }
  int from = blockIdx.y * split * SLICE;
  product<FORMAT, false, B_DOWN, ROWS>(Tile { a, a_pitch, begin, end, weight, pitch, column * COLUMNS, n, from, min(k, from + split * SLICE), k, c + (i64)blockIdx.y * m * n, order, bias,
    accumulate });
}

#define ROWS_PRODUCT(kernel, FORMAT, B_DOWN, ROWS, BLOCKS) \
  KERNEL __launch_bounds__(THREADS, BLOCKS) kernel(float *c, const u16 *a, const u8 *weight, const float *bias, const int *order, const int *offsets, const int *tiles, i64 a_pitch, i64 pitch, \
                                                   int m, int n, int k, int split, int accumulate) { \
    rows_product<FORMAT, B_DOWN, ROWS>(c, a, weight, bias, order, offsets, tiles, a_pitch, pitch, m, n, k, split, accumulate); \
  } \
  REGISTER(kernel)

// gemm_<format>_128 and _64: y = x Wᵀ + bias. gemm_<format>_input: dx += dy W.
#define GEMM(name, FORMAT) \
  ROWS_PRODUCT(gemm_##name##_128, FORMAT, false, 128, 2) \
  ROWS_PRODUCT(gemm_##name##_64, FORMAT, false, 64, 3) \
  ROWS_PRODUCT(gemm_##name##_input, FORMAT, true, 128, 2)
