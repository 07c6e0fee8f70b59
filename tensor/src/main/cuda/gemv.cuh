// y = x Wᵀ + bias for 1 to 8 rows of x: what a step of decoding consists of. Bound by reading the weights, which happens once for all rows. Must equal ReferenceKernels.linear to
// what rounding x to eight bits costs: a normalised mean squared error of about 5e-5.
//
// Quantized weights. x is rounded to signed bytes with one scale for 32, weights stay packed, and products are sums of four bytes at once (dp4a). With d the scale of 32
// elements of x, s, z, o the scale, zero point and offset of the weights: sum of w x = d s (sum of q x) + (o - s z) (d sum of x); the sums of x are made with its bytes.
// Designed for an H200, of which each multiprocessor must take in 21 bytes a clock. Packed blocks are 17 to 210 bytes long and lie at odd addresses, where a load instruction moves
// little: so a warp copies pieces of 1,024 elements of R rows of the weights to shared memory, 16 bytes a lane, without waiting for them (STAGES pieces ahead, also over the
// end of its rows), and reads each lane's 32 elements from there, of whole words, which blocks of an odd number of words or half words spread over the banks.
//   Grid: at most one block a multiprocessor, each going on to further rows. Block: up to MOST_WARPS warps; `team` of them share R rows, each taking every team-th piece of 1,024.
//   Dynamic shared memory: stages of all warps, partial sums of teams, and for one row of x its bytes, sums and scales, which each block makes while its first weights are on their
//   way: a launch less for each of a hundred matrices of a token. For more rows of x a kernel before makes them once.
//   Rows of x with an expert each are one-row products along the grid's y.
//   A lane owns 32 elements of each piece for R rows of the weights and all N rows of x (N = 1, 2, 4, 8; of rows that are not there the last is taken, and nothing stored).
//
// The kernels of each quantized format have a file of their own (gemv_q8_0.cu, ..), because the driver translates whole files when a model first runs: 0.4 seconds for one format,
// six for all.
//
// Weights that are not quantized (gemv.cu). A lane loads 16 bytes of each of R rows at a time, or, where rows are not aligned to that, one element. Grid: as many teams as there are
// groups of R rows. Block: 8 warps. Static shared memory: partial sums of teams.
#pragma once
#include "blocks.cuh"

constexpr int PIECE = 1024, STAGES = 2;

// For N rows of x: rows of the weights that a warp takes together, and the most warps of a block.
template <int N> struct Shape { enum { R = N == 8 ? 4 : 2, MOST_WARPS = N == 8 ? 8 : N == 4 ? 16 : 32 }; };

// ---- sums -------------------------------------------------------------------------------------------------------------------------------------------------

// The sums over a warp of V values: value i to the lanes from 32 / V i on. Each exchange halves how many values a lane holds, so 32 of them take 31 exchanges and not 160.
template <int V> DEVICE float warp_sums(float v[V]) {
  int lane = threadIdx.x & 31, mask = 16;
#pragma unroll
  for (int half = V / 2; half >= 1; half /= 2, mask /= 2) {
    bool upper = lane & mask;
#pragma unroll
    for (int i = 0; i < half; i++) {
      float kept = upper ? v[i + half] : v[i], given = upper ? v[i] : v[i + half];
      v[i] = kept + shuffle_xor(given, mask);
    }
  }
  float sum = v[0];
  for (; mask >= 1; mask /= 2) sum += shuffle_xor(sum, mask);
  return sum;
}

// Sums values over the warps of a team and stores those of rows that are there. Value c R + r is that of row c of x and row first + r of the weights. parts: V floats a warp; all
// threads of the block call it where teams have several warps.
template <int N, int R> DEVICE void store_sums(float v[N * R], float *parts, int team, float *y, const float *bias, int first, int out, int n) {
  constexpr int V = N * R, LANES = 32 / V;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, i = lane / LANES;
  float sum = warp_sums<V>(v);
  bool stores = lane % LANES == 0;
  if (team > 1) {
    if (stores) parts[warp * V + i] = sum;
    __syncthreads();
    stores = stores && warp % team == 0;
    if (stores) for (int w = 1; w < team; w++) sum += parts[(warp + w) * V + i];
  }
  int row = first + i % R, column = i / R;
  if (stores && row < out && column < n) y[(i64)column * out + row] = bias ? sum + bias[row] : sum;
}

// ---- x in eight bits --------------------------------------------------------------------------------------------------------------------------------------

// Of each 32 numbers: bytes x / d with d = largest magnitude / 127, d times the sum of the first 16 bytes and of the others, and d. A NaN or an infinity makes d one.
struct Rounded { i8 *bytes; float *sums, *scales; };

// count numbers, whole blocks of 32.
DEVICE Rounded rounded_at(u8 *memory, i64 count) { return {(i8 *)memory, (float *)(memory + count), (float *)(memory + count + count / 4)}; }

// The 128 numbers from first on, by one warp; a lane owns four, eight lanes a block.
DEVICE void round_128(Rounded r, const float *x, i64 first, i64 count) {
  int lane = threadIdx.x & 31;
  i64 at = first + 4 * lane;
  float4 v = {0, 0, 0, 0};
  if (at < count) v = *(const float4 *)(x + at);
  float values[4] = {v.x, v.y, v.z, v.w};
  int largest = 0;                                                                   // as bits, whose order is that of the numbers, NaN last
  for (int i = 0; i < 4; i++) largest = max(largest, (int)(f32_to_bits(values[i]) & 0x7fffffffu));
  for (int mask = 1; mask <= 4; mask *= 2) largest = max(largest, shuffle_xor(largest, mask));
  float magnitude = bits_to_f32((u32)largest), inverse = largest > 0 && largest < 0x7f800000 ? 127.0f / magnitude : 0.0f;
  u32 bytes = 0;
  int sum = 0;
  for (int i = 0; i < 4; i++) {
    int q = (int)rintf(fminf(fmaxf(values[i] * inverse, -127.0f), 127.0f));
    bytes |= (u32)(u8)q << 8 * i;
    sum += q;
  }
  sum += shuffle_xor(sum, 1);
  sum += shuffle_xor(sum, 2);
  if (at >= count) return;
  float d = magnitude / 127.0f;
  *(u32 *)(r.bytes + at) = bytes;
  if (lane % 4 == 0) r.sums[at / 16] = d * sum;
  if (lane % 8 == 0) r.scales[at / 32] = d;
}

// ---- quantized weights --------------------------------------------------------------------------------------------------------------------------------------

// LENGTH: bytes of a piece of a row. BYTES of a stage for one row: a piece, what its beginning lies behind an address of 16 bytes, and a word that padded reading may touch.
template <int FORMAT> struct Piece { enum { LENGTH = PIECE / Block<FORMAT>::ELEMENTS * Block<FORMAT>::BYTES, BYTES = (LENGTH + 15 + 4 + 15) / 16 * 16 }; };

// Begins to copy elements PIECE piece .. of R rows to a stage.
template <int FORMAT, int R> DEVICE void fetch(u8 *stage, const u8 *weight, int bytes, int first, int piece, int out) {
  constexpr int LENGTH = Piece<FORMAT>::LENGTH;
  int lane = threadIdx.x & 31, length = min((int)LENGTH, bytes - piece * LENGTH);
#pragma unroll
  for (int r = 0; r < R; r++) {
    const u8 *from = weight + (i64)min(first + r, out - 1) * bytes + piece * LENGTH;
    int past = (int)((u64)from & 15);
    for (int i = 16 * lane; i < past + length; i += 16 * 32) copy_async(stage + r * Piece<FORMAT>::BYTES + i, from - past + i, min(16, past + length - i));
  }
}

// Adds to sums the products of elements 32 chunk .. 32 chunk + 31, of which the first of the piece is at stage.
template <int FORMAT, int N, int R> DEVICE void add_products(float sums[N * R], const u8 *stage, const u8 *weight, int bytes, int first, int piece, int out, const Rounded x, int in, int n) {
  typedef Block<FORMAT> B;
  constexpr int GROUPS = 32 / B::GROUP, LENGTH = Piece<FORMAT>::LENGTH;
  constexpr bool SUMS = B::OFFSET || B::ZERO;
  int lane = threadIdx.x & 31, j = 32 * lane % B::ELEMENTS;
  int k = piece * PIECE + 32 * lane;
  if (k >= in) return;
  u32 q[R][8];
  float scales[R][GROUPS], offsets[R][GROUPS];                                       // the latter only where there are any
#pragma unroll
  for (int r = 0; r < R; r++) {
    u32 past = ((u32)(u64)weight + (u32)min(first + r, out - 1) * (u32)bytes + piece * LENGTH) & 15;
    const u8 *block = stage + r * Piece<FORMAT>::BYTES + past + 32 * lane / B::ELEMENTS * B::BYTES;
#pragma unroll
    for (int i = 0; i < 4; i++) quants8<FORMAT, true>(block, j + 8 * i, q[r] + 2 * i);
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
      scales[r][g] = scale_at<FORMAT>(block, j + 16 * g);
      if (B::OFFSET) offsets[r][g] = offset_at<FORMAT>(block, j + 16 * g);
    }
  }
#pragma unroll
  for (int c = 0; c < N; c++) {
    i64 at = (N == 1 ? 0 : min(c, n - 1) * (i64)in) + k;
    uint4 low = *(const uint4 *)(x.bytes + at), high = *(const uint4 *)(x.bytes + at + 16);
    u32 bytes_of_x[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    float d = x.scales[at / 32], sums_of_x[2];
    if (SUMS) {
      uint2 both = *(const uint2 *)(x.sums + at / 16);
      sums_of_x[0] = bits_to_f32(both.x) + (GROUPS == 1 ? bits_to_f32(both.y) : 0.0f);
      sums_of_x[1] = bits_to_f32(both.y);
    }
#pragma unroll
    for (int r = 0; r < R; r++) {
      float sum = sums[c * R + r];
#pragma unroll
      for (int g = 0; g < GROUPS; g++) {
        int product = 0;
#pragma unroll
        for (int i = 8 / GROUPS * g; i < 8 / GROUPS * (g + 1); i++) product = dp4a((int)q[r][i], (int)bytes_of_x[i], product);
        float scaled = d * product;
        if (B::ZERO) scaled -= B::ZERO * sums_of_x[g];
        sum += scales[r][g] * scaled;
        if (B::OFFSET) sum += offsets[r][g] * sums_of_x[g];
      }
      sums[c * R + r] = sum;
    }
  }
}

// Row blockIdx.y of y as the product of a row of x with the matrix of its expert. False for an expert that is not there.
template <int FORMAT> DEVICE bool take_expert(float **y, const float **x, const u8 **weight, const float **bias, const int *experts, int count, int used, int out, int in) {
  int row = blockIdx.y, expert = experts[row];
  if (expert < 0 || expert >= count) return false;
  *y += (i64)row * out;
  *x += (i64)(row / used) * in;
  *weight += (i64)expert * out * row_bytes<FORMAT>(in);
  if (*bias) *bias += (i64)expert * out;
  return true;
}

// x: for N = 1 a row of floats, else the memory of round_rows.
template <int FORMAT, int N> DEVICE void multiply_rows(float *y, const void *x, const u8 *weight, const float *bias, int out, int in, int n, int team, u8 *shared) {
  constexpr int R = Shape<N>::R, STAGE = R * Piece<FORMAT>::BYTES;
  int warps = blockDim.x >> 5, warp = threadIdx.x >> 5, teams = warps / team, part = warp % team;
  u8 *stages = shared + warp * STAGES * STAGE;
  float *parts = (float *)(shared + warps * STAGES * STAGE);
  int bytes = (int)row_bytes<FORMAT>(in);
  int groups = (out + R - 1) / R, pieces = (in + PIECE - 1) / PIECE, all = teams * gridDim.x;
  // Groups go around the blocks first, so that those of the last round are spread over all multiprocessors.
  int mine = warp / team * gridDim.x + blockIdx.x;

  int group = mine, piece = part;                                                    // what is fetched next
  for (int s = 0; s < STAGES; s++) {
    if (group < groups) fetch<FORMAT, R>(stages + s * STAGE, weight, bytes, group * R, piece, out);
    copy_async_commit();
    if ((piece += team) >= pieces) { piece = part; group += all; }
  }

  Rounded rounded;
  if (N == 1) {
    rounded = rounded_at((u8 *)(parts + 2 * warps * R), in);
    for (int i = 128 * warp; i < in; i += 128 * warps) round_128(rounded, (const float *)x, i, in);
    __syncthreads();
  } else {
    rounded = rounded_at((u8 *)x, (i64)n * in);
  }

  int stage = 0, round = 0;
  for (int first = 0; first < groups; first += all, round ^= 1) {
    float sums[N * R] = {};
    if (first + mine < groups) {
      for (int p = part; p < pieces; p += team) {
        copy_async_wait<STAGES - 1>();
        __syncwarp();                                                                // what other lanes have copied is there
        add_products<FORMAT, N, R>(sums, stages + stage * STAGE, weight, bytes, (first + mine) * R, p, out, rounded, in, n);
        __syncwarp();                                                                // and read by all
        if (group < groups) fetch<FORMAT, R>(stages + stage * STAGE, weight, bytes, group * R, piece, out);
        copy_async_commit();
        if ((piece += team) >= pieces) { piece = part; group += all; }
        stage = stage + 1 == STAGES ? 0 : stage + 1;
      }
    }
    // Two sets of partial sums in turn: whoever writes one has met those who read it last at the barrier between.
    store_sums<N, R>(sums, parts + round * warps * N * R, team, y, bias, (first + mine) * R, out, n);
  }
}

// Kernels of a format: for one row of x, or with experts for blockIdx.y rows of y, of which used in turn come from a row of x; and for 2, 4 and 8 rows, n of them there.
#define MULTIPLY_ONE(name, FORMAT) \
  KERNEL __launch_bounds__(32 * Shape<1>::MOST_WARPS) gemv1_##name(float *y, const float *x, const u8 *weight, const float *bias, int out, int in, int team, \
      const int *experts, int count, int used) { \
    DYNAMIC_SHARED(u8, shared); \
    if (experts && !take_expert<FORMAT>(&y, &x, &weight, &bias, experts, count, used, out, in)) return; \
    multiply_rows<FORMAT, 1>(y, x, weight, bias, out, in, 1, team, shared); \
  } \
  REGISTER(gemv1_##name)
#define MULTIPLY(name, FORMAT, N) \
  KERNEL __launch_bounds__(32 * Shape<N>::MOST_WARPS) gemv##N##_##name(float *y, const u8 *x, const u8 *weight, const float *bias, int out, int in, int team, int n) { \
    DYNAMIC_SHARED(u8, shared); \
    multiply_rows<FORMAT, N>(y, x, weight, bias, out, in, n, team, shared); \
  } \
  REGISTER(gemv##N##_##name)
#define MULTIPLY_ALL(name, FORMAT) MULTIPLY_ONE(name, FORMAT) MULTIPLY(name, FORMAT, 2) MULTIPLY(name, FORMAT, 4) MULTIPLY(name, FORMAT, 8)
