// Rotary positions (Su et al. 2021, arXiv:2104.09864) and the way back. Must equal rope of ReferenceKernels and ReferenceGradients.
// Grid: rows · parts, parts of a row of 1024 elements. Block: 256 threads, thread t owns elements t, t + 256, ... of the part, so that loads and stores of either order of pairs are
// whole lines. Shared memory: 8 bytes for each frequency, the cosines and sines of the row, which its heads share.
#include "port.cuh"

#define PART 1024

// An angle that double precision holds, brought into -π .. π there (position · frequency has 55 bits at most and passes 10⁵ radians in long contexts: in single precision that is
// an error of 10⁻² radians), turned in single precision.
DEVICE void cosine_and_sine(int position, float frequency, float *cosine, float *sine) {
  double angle = (double)position * (double)frequency;
  float r = (float)(angle - rint(angle * 0.15915494309189535) * 6.283185307179586);
  *cosine = cosf(r);
  *sine = sinf(r);
}

// y = x turned; back: y += x turned by the opposite angles. frequencies [half]; cosines and sines are times magnitude, which does not touch what is beyond the 2 · half features
// that turn. x and y [rows, width] differ.
KERNEL rope(float *y, const float *x, const int *positions, const float *frequencies, float magnitude, int parts, int width, int headDim, int half, int interleaved, int back) {
  DYNAMIC_SHARED(float, table);
  int row = blockIdx.x / parts, from = (int)(blockIdx.x % parts) * PART, end = min(width, from + PART), position = positions[row];
  for (int i = threadIdx.x; i < half; i += blockDim.x) {
    float cosine, sine;
    cosine_and_sine(position, frequencies[i], &cosine, &sine);
    table[i] = cosine * magnitude;
    table[half + i] = (back ? -sine : sine) * magnitude;
  }
  __syncthreads();
  const float *in = x + (i64)row * width;
  float *out = y + (i64)row * width;
  for (int e = from + threadIdx.x; e < end; e += blockDim.x) {
    int feature = e % headDim;
    float value = in[e];
    if (feature < 2 * half) {
      int second = interleaved ? feature & 1 : feature >= half, pair = interleaved ? feature >> 1 : feature - second * half, step = interleaved ? 1 : half;
      float other = in[second ? e - step : e + step], sine = table[half + pair];
      value = value * table[pair] + (second ? other * sine : -other * sine);
    }
    out[e] = back ? out[e] + value : value;
  }
}
REGISTER(rope)
