// Dropout by counted random numbers, to the bit those of class Philox. Grid and block: those of four_of (elements.cuh); a thread owns four elements, which are the four words of one
// counter. Must equal the methods of the same names of ReferenceKernels and ReferenceGradients.
#include "elements.cuh"
#include "philox.cuh"

// v / (1 - rate), or 0 where the element's number is below rate.
DEVICE void drop(float v[4], i64 at, float rate, u64 key) {
  u32 words[4];
  philox(words, (u64)at >> 2, key);
  #pragma unroll
  for (int i = 0; i < 4; i++) v[i] = uniform(words[i]) < rate ? 0.0f : v[i] / (1.0f - rate);
}

KERNEL dropout(float *y, const float *x, float rate, u64 key, i64 count) {
  Four own = four_of(count, (u64)y | (u64)x);
  float v[4];
  load(v, x, own);
  drop(v, own.at, rate, key);
  store(y, v, own);
}
REGISTER(dropout)

KERNEL dropout_gradient(float *dx, const float *dy, float rate, u64 key, i64 count) {
  Four own = four_of(count, (u64)dx | (u64)dy);
  float d[4];
  load(d, dy, own);
  drop(d, own.at, rate, key);
  add_to(dx, d, own);
}
REGISTER(dropout_gradient)
