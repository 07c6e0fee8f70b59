// Group norm of pictures and their resizing, with gradients. Must equal the methods of the same names of ReferenceKernels and ReferenceGradients. Pictures lie channels last, [n, pixels, channels].
// Moments and sums are taken of chunks of pixels first, then of the chunks, in an order that the shape alone decides. Memory-bound: x is read twice there, x and dy twice (x three times) back.
#include "elements.cuh"

DEVICE float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

// ---- group norm -------------------------------------------------------------------------------------------------------------------------------------------
// Everything is measured from a point, the first pixel's first channel of the group, which lies among the values: a mean far from 0 takes no digits then.

// Sums f over pixels first .. end - 1 of this thread's channel. Block: 256 threads, 32 channels by 8 pixels in turn; what the threads of warp 0 get is the block's. Shared memory: 2 KB.
template <class F> DEVICE void pixel_sums(float sums[2], int first, int end, int channel, int channels, F f) {
  __shared__ float parts[2][8][32];
  int lane = threadIdx.x & 31, turn = threadIdx.x >> 5;
  sums[0] = sums[1] = 0.0f;
  if (channel < channels) {
    #pragma unroll 4
    for (int pixel = first + turn; pixel < end; pixel += 8) f(pixel, sums);
  }
  parts[0][turn][lane] = sums[0];
  parts[1][turn][lane] = sums[1];
  __syncthreads();
  if (turn > 0) return;
  for (int t = 1; t < 8; t++) {
    sums[0] += parts[0][t][lane];
    sums[1] += parts[1][t][lane];
  }
}

// parts [n, chunks, 2, channels]: of a channel in a chunk of pixels, its mean less its first value, and the squared distances from the mean added up. As the first value is one of them, the
// difference of squares below loses no more digits than the number of pixels has.
// Grid: x channels / 32, y chunks, z pictures; blocks of 256 threads, see pixel_sums.
KERNEL group_norm_moments(float *parts, const float *x, int pixels, int channels, int chunk) {
  int channel = blockIdx.x * 32 + (threadIdx.x & 31), first = blockIdx.y * chunk, end = min(pixels, first + chunk);
  const float *picture = x + (i64)blockIdx.z * pixels * channels;
  float origin = channel < channels ? picture[(i64)first * channels + channel] : 0.0f, sums[2];
  pixel_sums(sums, first, end, channel, channels, [=](int pixel, float *s) {
    float distance = picture[(i64)pixel * channels + channel] - origin;
    s[0] += distance;
    s[1] += distance * distance;
  });
  if (threadIdx.x >= 32 || channel >= channels) return;
  float mean = sums[0] / (end - first), *to = parts + ((i64)blockIdx.z * gridDim.y + blockIdx.y) * 2 * channels + channel;
  to[0] = mean;
  to[channels] = fmaxf(0.0f, sums[1] - sums[0] * mean);
}
REGISTER(group_norm_moments)

// The moments of a group of a picture: stats [n, groups, 2] are the mean less the point, and r = 1 / sqrt(variance + eps); rows [n, 5, channels] begin with the point, with slope = r weight and
// with level = bias - (mean - point) slope, so that the result is (x - point) slope + level.
// Grid: x groups, y pictures; blocks of 256 threads, each of which takes channels of chunks in turn. Shared memory: 128 bytes.
KERNEL group_norm_merge(float *stats, float *rows, const float *parts, const float *x, const float *weight, const float *bias, int pixels, int channels, int groups, int chunk, int chunks, float eps) {
  __shared__ float shared[32];
  int size = channels / groups, from = blockIdx.x * size;
  const float *picture = x + (i64)blockIdx.y * pixels * channels, *part = parts + (i64)blockIdx.y * chunks * 2 * channels;
  float point = picture[from], count = (float)pixels * size, sum = 0.0f;
  // mean of a chunk's channel, less the point
  auto mean_of = [=](int c, int channel) { return picture[(i64)c * chunk * channels + channel] - point + part[(i64)c * 2 * channels + channel]; };
  for (i64 i = threadIdx.x; i < (i64)chunks * size; i += blockDim.x) {
    int c = (int)(i / size), channel = from + (int)(i % size);
    sum += mean_of(c, channel) * (min(pixels, (c + 1) * chunk) - c * chunk);
  }
  float mean = block_sum(sum, shared) / count, squares = 0.0f;
  for (i64 i = threadIdx.x; i < (i64)chunks * size; i += blockDim.x) {
    int c = (int)(i / size), channel = from + (int)(i % size);
    float apart = mean_of(c, channel) - mean;
    squares += part[((i64)c * 2 + 1) * channels + channel] + apart * apart * (min(pixels, (c + 1) * chunk) - c * chunk);
  }
  float r = 1.0f / sqrtf(block_sum(squares, shared) / count + eps);
  if (threadIdx.x == 0) {
    float *own = stats + ((i64)blockIdx.y * groups + blockIdx.x) * 2;
    own[0] = mean;
    own[1] = r;
  }
  float *row = rows + (i64)blockIdx.y * 5 * channels;
  for (int channel = from + threadIdx.x; channel < from + size; channel += blockDim.x) {
    float slope = r * weight[channel];
    row[channel] = point;
    row[channels + channel] = slope;
    row[2 * channels + channel] = bias[channel] - mean * slope;
  }
}
REGISTER(group_norm_merge)

// Row number `row` of the five of a cell's picture.
DEVICE Four of_picture(Cell own, i64 pixels, int channels, int row) { return Four{(own.row / pixels * 5 + row) * channels + own.column, own.count, own.whole}; }

// y = (x - point) slope + level, or silu of it. Grid and block: those of cell_of (elements.cuh) over pixels and channels.
KERNEL group_norm(float *y, const float *x, const float *rows, i64 pixels, int silu, i64 count, int channels, int shift) {
  Cell own = cell_of(count, channels, shift, (u64)y | (u64)x | (u64)rows, channels);
  Four all = in_rows(own, channels, 0);
  float v[4], point[4], slope[4], level[4];
  load(v, x, all);
  load(point, rows, of_picture(own, pixels, channels, 0));
  load(slope, rows, of_picture(own, pixels, channels, 1));
  load(level, rows, of_picture(own, pixels, channels, 2));
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    float z = (v[i] - point[i]) * slope[i] + level[i];
    v[i] = silu ? z * sigmoid(z) : z;
  }
  store(y, v, all);
}
REGISTER(group_norm)

// What comes from behind the activation: dy, or dy silu'(z).
DEVICE float given(float dy, float z, int silu) {
  if (!silu) return dy;
  float s = sigmoid(z);
  return dy * s * (1.0f + z * (1.0f - s));
}

// parts [n, chunks, 2, channels]: of a channel in a chunk of pixels, the sums of e and of e (x - point), e being what is given. Grid and block: as group_norm_moments.
KERNEL group_norm_gradient_sums(float *parts, const float *dy, const float *x, const float *rows, int pixels, int channels, int chunk, int silu) {
  int channel = blockIdx.x * 32 + (threadIdx.x & 31), first = blockIdx.y * chunk, end = min(pixels, first + chunk);
  i64 picture = (i64)blockIdx.z * pixels * channels;
  const float *row = rows + (i64)blockIdx.z * 5 * channels;
  bool there = channel < channels;
  float point = there ? row[channel] : 0.0f, slope = there ? row[channels + channel] : 0.0f, level = there ? row[2 * channels + channel] : 0.0f, sums[2];
  pixel_sums(sums, first, end, channel, channels, [=](int pixel, float *s) {
    i64 at = picture + (i64)pixel * channels + channel;
    float distance = x[at] - point, e = given(dy[at], distance * slope + level, silu);
    s[0] += e;
    s[1] += e * distance;
  });
  if (threadIdx.x >= 32 || !there) return;
  float *to = parts + ((i64)blockIdx.z * gridDim.y + blockIdx.y) * 2 * channels + channel;
  to[0] = sums[0];
  to[channels] = sums[1];
}
REGISTER(group_norm_gradient_sums)

// Of a picture's group: sums [n, 2, channels] are those of e and of e h over the picture, h being the normalised x; rows 3 and 4 of the picture become what dx = e slope - (x - point) along - still
// needs. Grid: x groups, y pictures; blocks of 256 threads, one for a channel in turn. Shared memory: 128 bytes.
KERNEL group_norm_gradient_merge(float *sums, float *rows, const float *parts, const float *stats, const float *weight, int pixels, int channels, int groups, int chunks) {
  __shared__ float shared[32];
  int size = channels / groups, from = blockIdx.x * size;
  const float *own = stats + ((i64)blockIdx.y * groups + blockIdx.x) * 2, *part = parts + (i64)blockIdx.y * chunks * 2 * channels;
  float mean = own[0], r = own[1], level = 0.0f, along = 0.0f, *sum = sums + (i64)blockIdx.y * 2 * channels;
  for (int channel = from + threadIdx.x; channel < from + size; channel += blockDim.x) {
    float e = 0.0f, h = 0.0f;
    for (int c = 0; c < chunks; c++) {
      e += part[(i64)c * 2 * channels + channel];
      h += part[((i64)c * 2 + 1) * channels + channel];
    }
    h = (h - e * mean) * r;
    sum[channel] = e;
    sum[channels + channel] = h;
    level += e * weight[channel];
    along += h * weight[channel];
  }
  float count = (float)pixels * size;
  level = block_sum(level, shared) / count * r;
  along = block_sum(along, shared) / count * r * r;
  float *row = rows + (i64)blockIdx.y * 5 * channels;
  for (int channel = from + threadIdx.x; channel < from + size; channel += blockDim.x) {
    row[3 * channels + channel] = along;
    row[4 * channels + channel] = level - mean * along;
  }
}
REGISTER(group_norm_gradient_merge)

// dWeight += sums of e h, dBias += sums of e, pictures in order; each may be null. Grid: a thread a channel, blocks of 256.
KERNEL group_norm_gradient_weights(float *dWeight, float *dBias, const float *sums, int n, int channels) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x;
  if (channel >= channels) return;
  float e = 0.0f, h = 0.0f;
  for (int i = 0; i < n; i++) {
    e += sums[(i64)i * 2 * channels + channel];
    h += sums[((i64)i * 2 + 1) * channels + channel];
  }
  if (dWeight) dWeight[channel] += h;
  if (dBias) dBias[channel] += e;
}
REGISTER(group_norm_gradient_weights)

// dx += e slope - (x - point) along - still. Grid and block: those of cell_of over pixels and channels.
KERNEL group_norm_gradient(float *dx, const float *dy, const float *x, const float *rows, i64 pixels, int silu, i64 count, int channels, int shift) {
  Cell own = cell_of(count, channels, shift, (u64)dx | (u64)dy | (u64)x | (u64)rows, channels);
  Four all = in_rows(own, channels, 0);
  float v[4], g[4], point[4], slope[4], level[4];
  load(v, x, all);
  load(g, dy, all);
  load(point, rows, of_picture(own, pixels, channels, 0));
  load(slope, rows, of_picture(own, pixels, channels, 1));
  load(level, rows, of_picture(own, pixels, channels, 2));
  #pragma unroll
  for (int i = 0; i < 4; i++) {
    v[i] -= point[i];
    g[i] = given(g[i], v[i] * slope[i] + level[i], silu) * slope[i];
  }
  load(slope, rows, of_picture(own, pixels, channels, 3));
  load(level, rows, of_picture(own, pixels, channels, 4));
  #pragma unroll
  for (int i = 0; i < 4; i++) g[i] -= v[i] * slope[i] + level[i];
  add_to(dx, g, all);
}
REGISTER(group_norm_gradient)

// ---- resizing: shares are fractions of whole numbers, so that they have all digits at any size -----------------------------------------------------------

// Resampling, by ordinal.
enum { NEAREST, BILINEAR, AREA };

struct Way { int from, to, resampling; };

DEVICE i64 at_least(i64 a, i64 b) { return a > b ? a : b; }
DEVICE i64 at_most(i64 a, i64 b) { return a < b ? a : b; }

// Where output i stands among the inputs, in units of 1 / (2 to) of a pixel, held to the outermost.
DEVICE i64 place(Way w, int i) { return at_most(at_least((2 * (i64)i + 1) * w.from - w.to, 0), 2 * (i64)w.to * (w.from - 1)); }

// The inputs first .. last that output i has a share of.
DEVICE void inputs_of(Way w, int i, int &first, int &last) {
  if (w.resampling == NEAREST) {
    first = last = (int)((i64)i * w.from / w.to);
  } else if (w.resampling == BILINEAR) {
    i64 at = place(w, i);
    first = (int)(at / (2 * w.to));
    last = min(w.from - 1, first + 1);
  } else {
    first = (int)((i64)i * w.from / w.to);
    last = (int)((((i64)i + 1) * w.from + w.to - 1) / w.to) - 1;
  }
}

// The outputs first .. last that may have a share of input j.
DEVICE void outputs_of(Way w, int j, int &first, int &last) {
  i64 low, high;
  if (w.resampling == BILINEAR) {
    low = j == 0 ? 0 : ((2 * (i64)j - 1) * w.to) / (2 * w.from) - 1;
    high = j == w.from - 1 ? w.to - 1 : ((2 * (i64)j + 3) * w.to) / (2 * w.from) + 1;
  } else {
    low = (i64)j * w.to / w.from;
    high = (((i64)j + 1) * w.to + w.from - 1) / w.from - 1;
  }
  first = (int)at_least(low, 0);
  last = (int)at_most(high, w.to - 1);
}

// What output i takes of input j.
DEVICE float share_of(Way w, int i, int j) {
  if (w.resampling == NEAREST) return (i64)i * w.from / w.to == j ? 1.0f : 0.0f;
  if (w.resampling == BILINEAR) {
    i64 unit = 2 * (i64)w.to, apart = place(w, i) - j * unit;
    if (apart < 0) apart = -apart;
    return apart < unit ? (float)(unit - apart) / (float)unit : 0.0f;
  }
  i64 start = at_least((i64)i * w.from, (i64)j * w.to), end = at_most(((i64)i + 1) * w.from, ((i64)j + 1) * w.to);
  return end > start ? (float)(end - start) / (float)w.from : 0.0f;
}

// y = the shares of x [n, down.from, across.from, channels] in each pixel of y [n, down.to, across.to, channels]. Grid and block: those of cell_of over the pixels of y and channels.
KERNEL resize(float *y, const float *x, int height, int width, int rows, int columns, int resampling, i64 count, int channels, int shift) {
  Cell own = cell_of(count, channels, shift, (u64)y | (u64)x, channels);
  if (own.count == 0) return;
  Way down = {height, rows, resampling}, across = {width, columns, resampling};
  i64 picture = own.row / ((i64)rows * columns);
  int pixel = (int)(own.row - picture * rows * columns), r = pixel / columns, c = pixel - r * columns, top, bottom, left, right;
  inputs_of(down, r, top, bottom);
  inputs_of(across, c, left, right);
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f}, v[4];
  for (int row = top; row <= bottom; row++) {
    float part = share_of(down, r, row);
    for (int column = left; column <= right; column++) {
      float share = part * share_of(across, c, column);
      load(v, x, Four{((picture * height + row) * width + column) * channels + own.column, own.count, own.whole});
      #pragma unroll
      for (int i = 0; i < 4; i++) sum[i] += share * v[i];
    }
  }
  store(y, sum, in_rows(own, channels, 0));
}
REGISTER(resize)

// dx += the share that each pixel of x had in dy, outputs in order. Grid and block: those of cell_of over the pixels of dx and channels.
KERNEL resize_gradient(float *dx, const float *dy, int height, int width, int rows, int columns, int resampling, i64 count, int channels, int shift) {
  Cell own = cell_of(count, channels, shift, (u64)dx | (u64)dy, channels);
  if (own.count == 0) return;
  Way down = {height, rows, resampling}, across = {width, columns, resampling};
  i64 picture = own.row / ((i64)height * width);
  int pixel = (int)(own.row - picture * height * width), r = pixel / width, c = pixel - r * width, top, bottom, left, right;
  outputs_of(down, r, top, bottom);
  outputs_of(across, c, left, right);
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f}, v[4];
  for (int row = top; row <= bottom; row++) {
    float part = share_of(down, row, r);
    if (part == 0.0f) continue;
    for (int column = left; column <= right; column++) {
      float share = part * share_of(across, column, c);
      if (share == 0.0f) continue;
      load(v, dy, Four{((picture * rows + row) * columns + column) * channels + own.column, own.count, own.whole});
      #pragma unroll
      for (int i = 0; i < 4; i++) sum[i] += share * v[i];
    }
  }
  add_to(dx, sum, in_rows(own, channels, 0));
}
REGISTER(resize_gradient)
