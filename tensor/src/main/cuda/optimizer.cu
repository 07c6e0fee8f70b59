// Steps of the optimizer: everything is read and written once. Must equal the methods of the same names of ReferenceKernels.
#include "elements.cuh"
#include "philox.cuh"

// The numbers of a step as loops take them: rest is 1 - beta, rate is divided by 1 - beta1^t, share is 1 / (1 - beta2^t), rootShare its root, decay is times the learning rate.

// States in F32. Grid and block: those of four_of; a thread owns four elements.
KERNEL adamw(float *weight, const float *gradient, float *m, float *v, float scale, float beta1, float rest1, float beta2, float rest2, float rate, float share, float eps, float decay,
             i64 count) {
  Four own = four_of(count, (u64)weight | (u64)gradient | (u64)m | (u64)v);
  float w[4], g[4], mean[4], square[4];
  load(w, weight, own);
  load(g, gradient, own);
  load(mean, m, own);
  load(square, v, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    g[i] *= scale;
    mean[i] = beta1 * mean[i] + rest1 * g[i];
    square[i] = beta2 * square[i] + rest2 * (g[i] * g[i]);
    w[i] -= w[i] * decay + mean[i] * rate / (sqrtf(square[i] * share) + eps);
  }
  store(weight, w, own);
  store(m, mean, own);
  store(v, square, own);
}
REGISTER(adamw)

// ---- states in eight bits: AdamStates ------------------------------------------------------------------------------------------------------------------------
// Blocks of 32 numbers in 34 bytes: a half-precision scale and bytes. Sixteen threads own a block, each two neighbours: random numbers 2 i and 2 i + 1 are those of element i, so that
// the four words of one counter serve both states of two elements. Grid: 16 blocks of states a block of 256 threads.

enum { BLOCK_BYTES = 34 };
// AdamStates.UNIT and its inverse.
#define UNIT 1.52587890625e-5f
#define UNITS 65536.0f

// The larger; NaN where one is.
DEVICE float larger(float a, float b) { return b > a || b != b ? b : a; }

// The largest magnitude of a block's numbers, for each of its sixteen threads; all threads of the warp call it.
DEVICE float largest_of(float a, float b) {
  float most = larger(fabsf(a), fabsf(b));
  for (int mask = 8; mask > 0; mask >>= 1) most = larger(most, shuffle_xor(most, mask));
  return most;
}

// Rounded down after a random fraction is added; what is above 0 keeps at least a level where it must.
DEVICE u32 rounded(float value, float level, float random, bool keep) {
  float whole = floorf(value * UNITS / level + random);
  whole = whole > 127.0f ? 127.0f : whole < -127.0f ? -127.0f : whole;
  int levels = (int)whole;
  if (keep && value > 0.0f && levels < 1) levels = 1;
  return (u32)levels & 255u;
}

DEVICE void store_pair(u8 *block, int pair, float a, float b, float largest, u32 randomA, u32 randomB, bool keep) {
  float scale = largest / (127.0f * UNIT);
  u16 half = f32_to_f16(scale > 65504.0f ? 65504.0f : scale);
  float level = f16_to_f32(half);
  u32 bytes = level == 0.0f ? 0u : rounded(a, level, uniform(randomA), keep) | rounded(b, level, uniform(randomB), keep) << 8;
  if (pair == 0) *(u16 *)block = half;
  *(u16 *)(block + 2 + 2 * pair) = (u16)bytes;
}

// m, v: Q8_0 in units of UNIT, of which v holds the roots; count: numbers, a multiple of 32.
KERNEL adamw_q8_0(float *weight, const float *gradient, u8 *m, u8 *v, float scale, float beta1, float rest1, float beta2, float rest2, float rate, float rootShare, float eps, float decay,
                  u64 key, i64 count) {
  i64 block = (i64)blockIdx.x * 16 + (threadIdx.x >> 4);
  int pair = threadIdx.x & 15;
  bool there = block < count / 32;                                                  // a warp's other half may be there, and needs both for its maxima
  i64 at = block * 32 + 2 * pair;
  u8 *means = m + block * BLOCK_BYTES, *roots = v + block * BLOCK_BYTES;
  float mean[2] = {0.0f, 0.0f}, root[2] = {0.0f, 0.0f};
  if (there) {
    float meanLevel = f16_to_f32(*(const u16 *)means), rootLevel = f16_to_f32(*(const u16 *)roots);
    u32 meanBytes = *(const u16 *)(means + 2 + 2 * pair), rootBytes = *(const u16 *)(roots + 2 + 2 * pair);
    #pragma unroll
    for (int i = 0; i < 2; i++) {
      float g = gradient[at + i] * scale, w = weight[at + i];
      float before = (float)(i8)(rootBytes >> 8 * i) * rootLevel * UNIT;
      mean[i] = beta1 * ((float)(i8)(meanBytes >> 8 * i) * meanLevel * UNIT) + rest1 * g;
      root[i] = sqrtf(beta2 * (before * before) + rest2 * (g * g));
      weight[at + i] = w - (w * decay + mean[i] * rate / (root[i] * rootShare + eps));
    }
  }
  float largestMean = largest_of(mean[0], mean[1]), largestRoot = largest_of(root[0], root[1]);
  if (!there) return;
  u32 words[4];
  philox(words, (u64)at >> 1, key);
  store_pair(means, pair, mean[0], mean[1], largestMean, words[0], words[2], false);
  store_pair(roots, pair, root[0], root[1], largestRoot, words[1], words[3], true);
}
REGISTER(adamw_q8_0)

// average += (weight - average) share. Grid and block: those of four_of.
KERNEL average_weights(float *average, const float *weight, float share, i64 count) {
  Four own = four_of(count, (u64)average | (u64)weight);
  float a[4], w[4];
  load(a, average, own);
  load(w, weight, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) a[i] += (w[i] - a[i]) * share;
  store(average, a, own);
}
REGISTER(average_weights)
