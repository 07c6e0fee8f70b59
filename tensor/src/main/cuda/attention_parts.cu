// What goes before and after the attention kernels: keys and values of a packed batch as halves, and the shares of split positions joined.
#include "attention.cuh"

// y = x in bfloat16, each head of dims numbers padded with zeros to `padded`, a multiple of 16. Grid: 8 numbers of y a thread, blocks of 256; heads: of all rows.
KERNEL attention_round(u16 *y, const float *x, i64 heads, int dims, int padded) {
  i64 index = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  int pieces = padded / 8;
  if (index >= heads * pieces) return;
  i64 head = index / pieces;
  int d = (int)(index - head * pieces) * 8;
  const float *from = x + head * dims + d;
  float v[8];
  for (int i = 0; i < 8; i++) v[i] = d + i < dims ? from[i] : 0.0f;
  *(uint4 *)(y + index * 8) = uint4{pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
}
REGISTER(attention_round)

// y[targets[item]] = the softmax over all shares: sum over splits of 2^(largest - most) mixes / sum of 2^(largest - most) sums. A share without positions has the sum 0 and unspecified mixes.
// Grid: 1 item a block of 128 threads; shared memory: splits floats.
KERNEL attention_combine(float *y, const float *mixes, const float *states, const int *targets, int splits, int valueDim) {
  DYNAMIC_SHARED(float, weights);
  i64 item = blockIdx.x;
  int target = targets[item];
  if (target < 0) return;
  const float *state = states + item * splits * 2;
  float most = NEVER, total = 0.0f;
  for (int s = 0; s < splits; s++) most = fmaxf(most, state[2 * s]);
  for (int s = 0; s < splits; s++) total += relative(state[2 * s], most) * state[2 * s + 1];
  for (int s = threadIdx.x; s < splits; s += blockDim.x) weights[s] = state[2 * s + 1] == 0.0f ? 0.0f : relative(state[2 * s], most) / total;
  __syncthreads();
  for (int d = threadIdx.x; d < valueDim; d += blockDim.x) {
    float mixed = 0.0f;
    for (int s = 0; s < splits; s++) if (weights[s] != 0.0f) mixed += weights[s] * mixes[(item * splits + s) * valueDim + d];
    y[(i64)target * valueDim + d] = mixed;
  }
}
REGISTER(attention_combine)
