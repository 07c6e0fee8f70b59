// Products of few rows with weights that are not quantized, and the rounding of x for those that are. See gemv.cuh.
#include "gemv.cuh"

// All rows of x. Grid: one warp for 128 numbers. Block: 256 threads. Shared memory: none.
KERNEL round_rows(u8 *rounded, const float *x, i64 count) {
  i64 first = ((i64)blockIdx.x * 8 + threadIdx.x / 32) * 128;
  if (first < count) round_128(rounded_at(rounded, count), x, first, count);
}
REGISTER(round_rows)

// ---- weights that are not quantized ---------------------------------------------------------------------------------------------------------------------------

// The numbers of 16 bytes.
template <int FORMAT> DEVICE void unpack(uint4 bytes, float w[]) {
  u32 words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (FORMAT == F32) {
      w[i] = bits_to_f32(words[i]);
    } else {
      w[2 * i] = FORMAT == F16 ? f16_to_f32((u16)words[i]) : bits_to_f32(words[i] << 16);
      w[2 * i + 1] = FORMAT == F16 ? f16_to_f32((u16)(words[i] >> 16)) : bits_to_f32(words[i] & 0xffff0000u);
    }
  }
}

template <int FORMAT, int N> DEVICE void multiply_plain(float *y, const float *x, const u8 *weight, const float *bias, int out, int in, int n, int team, int aligned) {
  constexpr int R = Shape<N>::R, E = 16 / Block<FORMAT>::BYTES, WARPS = 8;
  __shared__ float parts[WARPS * N * R];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, part = warp % team, first = (blockIdx.x * (WARPS / team) + warp / team) * R;
  float sums[N * R] = {};
  if (first < out) {
    const u8 *rows[R];
    for (int r = 0; r < R; r++) rows[r] = weight + min(first + r, out - 1) * row_bytes<FORMAT>(in);
    if (aligned) {
#pragma unroll (N == 1 ? 4 : N == 8 ? 1 : 2)
      for (int k = (part * 32 + lane) * E; k < in; k += team * 32 * E) {
        uint4 packed[R];
#pragma unroll
        for (int r = 0; r < R; r++) packed[r] = *(const uint4 *)(rows[r] + (i64)k * Block<FORMAT>::BYTES);
        float w[R][E];
#pragma unroll
        for (int r = 0; r < R; r++) unpack<FORMAT>(packed[r], w[r]);
#pragma unroll
        for (int c = 0; c < N; c++) {
          const float4 *at = (const float4 *)(x + (i64)min(c, n - 1) * in + k);
#pragma unroll
          for (int i = 0; i < E; i += 4) {
            float4 four = at[i / 4];
#pragma unroll
            for (int r = 0; r < R; r++) {
              float sum = fmaf(w[r][i], four.x, sums[c * R + r]);
              sum = fmaf(w[r][i + 1], four.y, sum);
              sum = fmaf(w[r][i + 2], four.z, sum);
              sums[c * R + r] = fmaf(w[r][i + 3], four.w, sum);
            }
          }
        }
      }
    } else {
      for (int k = part * 32 + lane; k < in; k += team * 32) {
        float w[R];
        for (int r = 0; r < R; r++) w[r] = plain<FORMAT>(rows[r], k);
        for (int c = 0; c < N; c++) {
          float value = x[(i64)min(c, n - 1) * in + k];
          for (int r = 0; r < R; r++) sums[c * R + r] = fmaf(w[r], value, sums[c * R + r]);
        }
      }
    }
  }
  store_sums<N, R>(sums, parts, team, y, bias, first, out, n);
}

#define MULTIPLY_PLAIN_ONE(name, FORMAT) \
  KERNEL __launch_bounds__(256) gemv1_##name(float *y, const float *x, const u8 *weight, const float *bias, int out, int in, int team, int aligned, \
      const int *experts, int count, int used) { \
    if (experts && !take_expert<FORMAT>(&y, &x, &weight, &bias, experts, count, used, out, in)) return; \
    multiply_plain<FORMAT, 1>(y, x, weight, bias, out, in, 1, team, aligned); \
  } \
  REGISTER(gemv1_##name)
#define MULTIPLY_PLAIN(name, FORMAT, N) \
  KERNEL __launch_bounds__(256) gemv##N##_##name(float *y, const float *x, const u8 *weight, const float *bias, int out, int in, int team, int aligned, int n) { \
    multiply_plain<FORMAT, N>(y, x, weight, bias, out, in, n, team, aligned); \
  } \
  REGISTER(gemv##N##_##name)
#define MULTIPLY_PLAIN_ALL(name, FORMAT) MULTIPLY_PLAIN_ONE(name, FORMAT) MULTIPLY_PLAIN(name, FORMAT, 2) MULTIPLY_PLAIN(name, FORMAT, 4) MULTIPLY_PLAIN(name, FORMAT, 8)
EVERY_FLOAT_FORMAT(MULTIPLY_PLAIN_ALL)
