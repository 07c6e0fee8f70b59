// Sums and losses. Must equal the methods of the same names of ReferenceKernels and ReferenceGradients.
#include "elements.cuh"

// ---- sums -------------------------------------------------------------------------------------------------------------------------------------------------
// Grid: at most 1024 blocks of 256 threads, as many as 4096 elements each need; shared memory 256 bytes. Thread t of all adds elements 4 t .. 4 t + 3, then those 4 times the number of
// threads further on. Four elements are added in single precision, all else in double: a quarter of an operation in double an element, which even GPUs with few such units do as fast
// as memory is read. The order depends on the count alone.

// For thread 0, the sum over a block.
DEVICE double block_total(double v) {
  __shared__ double parts[32];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
  for (int mask = 16; mask > 0; mask >>= 1) v += shuffle_xor(v, mask);
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  v = lane < warps ? parts[lane] : 0.0;
  for (int mask = 16; mask > 0; mask >>= 1) v += shuffle_xor(v, mask);
  return v;
}

// A single block writes the sum, several their part of it.
template <class F> DEVICE void sum_all(float *y, double *parts, const float *x, i64 count, F f) {
  bool aligned = ((u64)x & 15) == 0;
  double total = 0.0;
  for (i64 at = 4 * ((i64)blockIdx.x * blockDim.x + threadIdx.x); at < count; at += 4 * (i64)gridDim.x * blockDim.x) {
    i64 left = count - at;
    float v[4];
    load(v, x, Four{at, left >= 4 ? 4 : (int)left, aligned && left >= 4});
    total += (f(v[0]) + f(v[1])) + (f(v[2]) + f(v[3]));
  }
  total = block_total(total);
  if (threadIdx.x > 0) return;
  if (gridDim.x == 1) y[0] = (float)total;
  else parts[blockIdx.x] = total;
}

KERNEL sum(float *y, double *parts, const float *x, i64 count) { sum_all(y, parts, x, count, [](float v) { return v; }); }
REGISTER(sum)

KERNEL sum_of_squares(float *y, double *parts, const float *x, i64 count) { sum_all(y, parts, x, count, [](float v) { return v * v; }); }
REGISTER(sum_of_squares)

// y[0] = the sum of the parts. Grid: 1 block of 256 threads.
KERNEL sum_parts(float *y, const double *parts, int count) {
  double total = 0.0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) total += parts[i];
  total = block_total(total);
  if (threadIdx.x == 0) y[0] = (float)total;
}
REGISTER(sum_parts)

// dx += dy[0]. Grid and block: those of four_of.
KERNEL sum_gradient(float *dx, const float *dy, i64 count) {
  Four own = four_of(count, (u64)dx);
  float d = dy[0], v[4] = {d, d, d, d};
  add_to(dx, v, own);
}
REGISTER(sum_gradient)

// ---- cross-entropy ----------------------------------------------------------------------------------------------------------------------------------------
// Grid: a block for each row, of 32 to 512 threads by the number of classes; shared memory 128 bytes. A thread reads 16 bytes at a time of every block's width; rows of odd lengths begin
// with up to three classes by themselves. The largest logit and the sum of the exponentials come from one reading (Milakov & Gimelshein 2018, arXiv:1805.02867).

// The largest number, and the sum of exp(x - most).
struct Exponentials { float most, sum; };

DEVICE void include(Exponentials *e, float a, float b, float c, float d) {
  float most = fmaxf(fmaxf(a, b), fmaxf(c, d));
  if (most > e->most) {
    e->sum *= expf(e->most - most);
    e->most = most;
  }
  e->sum += (expf(a - e->most) + expf(b - e->most)) + (expf(c - e->most) + expf(d - e->most));
}

// How many elements come before the first that begins 16 bytes.
DEVICE int unaligned(const float *row, int count) {
  int before = (int)((16 - ((u64)row & 15)) & 15) >> 2;
  return before < count ? before : count;
}

// Of a row, for every thread of the block.
DEVICE Exponentials exponentials(const float *row, int classes) {
  __shared__ float parts[32];
  Exponentials own = {-3.402823466e38f, 0.0f};                                      // finite, so that nothing becomes inf - inf
  int head = unaligned(row, classes), fours = (classes - head) / 4, tail = head + 4 * fours;
  const float4 *body = (const float4 *)(row + head);
  if ((int)threadIdx.x < head) include(&own, row[threadIdx.x], -INFINITY, -INFINITY, -INFINITY);
  for (int i = threadIdx.x; i < fours; i += blockDim.x) {
    float4 v = body[i];
    include(&own, v.x, v.y, v.z, v.w);
  }
  if (tail + (int)threadIdx.x < classes) include(&own, row[tail + threadIdx.x], -INFINITY, -INFINITY, -INFINITY);
  Exponentials all;
  all.most = block_max(own.most, parts);
  all.sum = block_sum(own.sum * expf(own.most - all.most), parts);
  return all;
}

// y = ln(sum of exp(logits)) - logits[target], 0 where the target is -1, NaN where it is no class.
KERNEL cross_entropy(float *y, const float *logits, const int *targets, int classes) {
  const float *row = logits + (i64)blockIdx.x * classes;
  int target = targets[blockIdx.x];
  if (target < 0 || target >= classes) {
    if (threadIdx.x == 0) y[blockIdx.x] = target == -1 ? 0.0f : bits_to_f32(0x7fc00000u);
    return;
  }
  Exponentials e = exponentials(row, classes);
  if (threadIdx.x == 0) y[blockIdx.x] = (e.most - row[target]) + logf(e.sum);       // the difference first: both are large and it is small where the model is right
}
REGISTER(cross_entropy)

// dLogits += dy (softmax(logits) - [c = target]), nothing where the target is -1. Reads a row twice: 600 KB of 150,000 classes for each of 264 blocks do not stay in the cache, but what is
// written, which is as much, must be read as well.
KERNEL cross_entropy_gradient(float *dLogits, const float *dy, const float *logits, const int *targets, int classes) {
  int target = targets[blockIdx.x];
  if (target < 0) return;
  const float *row = logits + (i64)blockIdx.x * classes;
  float *to = dLogits + (i64)blockIdx.x * classes;
  Exponentials e = exponentials(row, classes);
  float g = dy[blockIdx.x], share = g / e.sum;
  bool together = (((u64)row ^ (u64)to) & 15) == 0;
  int head = together ? unaligned(row, classes) : classes, fours = (classes - head) / 4, tail = head + 4 * fours;
  for (int c = threadIdx.x; c < head; c += blockDim.x) to[c] += share * expf(row[c] - e.most) - (c == target ? g : 0.0f);
  for (int i = threadIdx.x; i < fours; i += blockDim.x) {
    int c = head + 4 * i;
    float4 v = *(const float4 *)(row + c), d = *(const float4 *)(to + c);
    d.x += share * expf(v.x - e.most) - (c == target ? g : 0.0f);
    d.y += share * expf(v.y - e.most) - (c + 1 == target ? g : 0.0f);
    d.z += share * expf(v.z - e.most) - (c + 2 == target ? g : 0.0f);
    d.w += share * expf(v.w - e.most) - (c + 3 == target ? g : 0.0f);
    *(float4 *)(to + c) = d;
  }
  int c = tail + threadIdx.x;
  if (c < classes) to[c] += share * expf(row[c] - e.most) - (c == target ? g : 0.0f);
}
REGISTER(cross_entropy_gradient)
