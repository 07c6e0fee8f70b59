// Lengths of the rows of weights with a low-rank change. Must equal ReferenceKernels.rowLengths.
#include "blocks.cuh"

// lengths[j] = sqrt(sum over k of (weight[j][k] + scale · sum over r of b[j][r] a[r][k])²). Grid: one block for 4 rows, which read a together. Block: 256 threads. Shared memory:
// partial sums. A thread owns every 256th group of 8 columns, or column where weights are not quantized.
template <int FORMAT> DEVICE void row_lengths(float *lengths, const u8 *weight, const float *a, const float *b, float scale, int out, int in, int rank) {
  constexpr int R = 4, E = Block<FORMAT>::ELEMENTS == 1 ? 1 : 8;
  __shared__ float parts[32];
  int first = blockIdx.x * R;
  float squares[R] = {};
  for (int k = threadIdx.x * E; k < in; k += blockDim.x * E) {
    float change[R][E] = {};
    for (int i = 0; i < rank; i++) {
      float column[E];
#pragma unroll
      for (int e = 0; e < E; e++) column[e] = a[(i64)i * in + k + e];
#pragma unroll
      for (int r = 0; r < R; r++) {
        float factor = b[(i64)min(first + r, out - 1) * rank + i];
#pragma unroll
        for (int e = 0; e < E; e++) change[r][e] = fmaf(factor, column[e], change[r][e]);
      }
    }
#pragma unroll
    for (int r = 0; r < R; r++) {
      const u8 *row = weight + min(first + r, out - 1) * row_bytes<FORMAT>(in);
      float w[8];
      if constexpr (E == 1) w[0] = plain<FORMAT>(row, k); else weight8<FORMAT>(row, k, w);
#pragma unroll
      for (int e = 0; e < E; e++) {
        float changed = fmaf(scale, change[r][e], w[e]);
        squares[r] = fmaf(changed, changed, squares[r]);
      }
    }
  }
  for (int r = 0; r < R; r++) {
    float sum = block_sum(squares[r], parts);
    if (threadIdx.x == 0 && first + r < out) lengths[first + r] = sqrtf(sum);
  }
}

#define ROW_LENGTHS(name, FORMAT) \
  KERNEL row_lengths_##name(float *lengths, const u8 *weight, const float *a, const float *b, float scale, int out, int in, int rank) { \
    row_lengths<FORMAT>(lengths, weight, a, b, scale, out, in, rank); \
  } \
  REGISTER(row_lengths_##name)
EVERY_FORMAT(ROW_LENGTHS)
