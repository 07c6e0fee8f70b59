// Norms over the last axis, and their gradients. Must equal rmsNorm and layerNorm of ReferenceKernels and ReferenceGradients.
// A row has a warp (blocks of 128 threads, four rows each) up to 256 features, beyond that a block of one thread for four features, at most 512. Lane l of a row's L lanes owns
// features N l .. N l + N - 1, N (l + L) .., with N of 4 where rows are aligned for it. Rows are read again for the second pass: they are in the first level of the cache then.
// Gradients of weights are sums over rows, of matrices [rows / heads, heads · d]: norm_weight_partials by columns of slabs of rows, then norm_weight_sums over the slabs, both in
// an order that the shape decides. Memory-bound: x and dy are read twice on the way back where weights learn, else once.
#include "port.cuh"

template <int N> DEVICE void load(float *values, const float *p) {
  if (N == 4) {
    float4 four = *(const float4 *)p;
    values[0] = four.x;
    values[1] = four.y;
    values[2] = four.z;
    values[3] = four.w;
  } else {
    values[0] = *p;
  }
}

template <int N> DEVICE void store(float *p, const float *values) {
  if (N == 4) {
    float4 four;
    four.x = values[0];
    four.y = values[1];
    four.z = values[2];
    four.w = values[3];
    *(float4 *)p = four;
  } else {
    *p = values[0];
  }
}

// Where a thread is: its row, and its place among the row's lanes. wide: a row has the block.
struct Place { int row, lane, lanes; };

DEVICE Place place(int wide) {
  Place at;
  at.row = wide ? blockIdx.x : blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  at.lane = wide ? threadIdx.x : threadIdx.x & 31;
  at.lanes = wide ? blockDim.x : 32;
  return at;
}

// The sum over a row's lanes, for each of them.
DEVICE float row_sum(float v, int lanes, float *parts) { return lanes == 32 ? warp_sum(v) : block_sum(v, parts); }

// ---- forward ----------------------------------------------------------------------------------------------------------------------------------------------

template <int N> DEVICE void rms_norm_row(float *y, const float *x, const float *weight, float eps, int d, Place at, float *parts) {
  float v[N], w[N], squares = 0.0f;
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    for (int e = 0; e < N; e++) squares += v[e] * v[e];
  }
  float r = 1.0f / sqrtf(row_sum(squares, at.lanes, parts) / d + eps);
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    load<N>(w, weight + i);
    for (int e = 0; e < N; e++) v[e] = v[e] * r * w[e];
    store<N>(y + i, v);
  }
}

// y = x / sqrt(mean(x²) + eps) · weight. fours: whether rows and weight are aligned to 16 bytes and d is a multiple of 4.
KERNEL rms_norm(float *y, const float *x, const float *weight, float eps, int rows, int d, int wide, int fours) {
  __shared__ float parts[32];
  Place at = place(wide);
  if (at.row >= rows) return;
  i64 row = (i64)at.row * d;
  if (fours) rms_norm_row<4>(y + row, x + row, weight, eps, d, at, parts);
  else rms_norm_row<1>(y + row, x + row, weight, eps, d, at, parts);
}
REGISTER(rms_norm)

template <int N> DEVICE float row_mean(const float *x, int d, Place at, float *parts) {
  float v[N], sum = 0.0f;
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    for (int e = 0; e < N; e++) sum += v[e];
  }
  return row_sum(sum, at.lanes, parts) / d;
}

template <int N> DEVICE void layer_norm_row(float *y, const float *x, const float *weight, const float *bias, float eps, int d, Place at, float *parts) {
  float v[N], w[N], b[N], squares = 0.0f, mean = row_mean<N>(x, d, at, parts);
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    for (int e = 0; e < N; e++) squares += (v[e] - mean) * (v[e] - mean);
  }
  float r = 1.0f / sqrtf(row_sum(squares, at.lanes, parts) / d + eps);
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    for (int e = 0; e < N; e++) w[e] = 1.0f;
    if (weight) load<N>(w, weight + i);
    for (int e = 0; e < N; e++) b[e] = 0.0f;
    if (bias) load<N>(b, bias + i);
    for (int e = 0; e < N; e++) v[e] = (v[e] - mean) * r * w[e] + b[e];
    store<N>(y + i, v);
  }
}

// y = (x - mean(x)) / sqrt(variance(x) + eps) · weight + bias, row r by row r mod heads of weight and bias [heads, d], which may be null.
KERNEL layer_norm(float *y, const float *x, const float *weight, const float *bias, float eps, int rows, int heads, int d, int wide, int fours) {
  __shared__ float parts[32];
  Place at = place(wide);
  if (at.row >= rows) return;
  i64 row = (i64)at.row * d, head = at.row % heads * (i64)d;
  if (fours) layer_norm_row<4>(y + row, x + row, weight ? weight + head : weight, bias ? bias + head : bias, eps, d, at, parts);
  else layer_norm_row<1>(y + row, x + row, weight ? weight + head : weight, bias ? bias + head : bias, eps, d, at, parts);
}
REGISTER(layer_norm)

// ---- gradients of rows: dx may be null; inverses and means, if not null, are kept for the gradients of weights ------------------------------------------------

template <int N> DEVICE float rms_norm_gradient_row(float *dx, const float *dy, const float *x, const float *weight, float eps, int d, Place at, float *parts) {
  float v[N], g[N], w[N], dv[N], squares = 0.0f, dot = 0.0f;
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    load<N>(g, dy + i);
    load<N>(w, weight + i);
    for (int e = 0; e < N; e++) {
      squares += v[e] * v[e];
      dot += g[e] * w[e] * v[e];
    }
  }
  float r = 1.0f / sqrtf(row_sum(squares, at.lanes, parts) / d + eps), along = row_sum(dot, at.lanes, parts) / d * r * r;
  for (int i = at.lane * N; dx && i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    load<N>(g, dy + i);
    load<N>(w, weight + i);
    load<N>(dv, dx + i);
    for (int e = 0; e < N; e++) dv[e] += r * (g[e] * w[e] - v[e] * along);
    store<N>(dx + i, dv);
  }
  return r;
}

// With r = 1 / sqrt(mean(x²) + eps) and g = dy · weight: dx += r (g - x r² mean(g x)).
KERNEL rms_norm_gradient(float *dx, float *inverses, const float *dy, const float *x, const float *weight, float eps, int rows, int d, int wide, int fours) {
  __shared__ float parts[32];
  Place at = place(wide);
  if (at.row >= rows) return;
  i64 row = (i64)at.row * d;
  float r = fours ? rms_norm_gradient_row<4>(dx ? dx + row : dx, dy + row, x + row, weight, eps, d, at, parts)
    : rms_norm_gradient_row<1>(dx ? dx + row : dx, dy + row, x + row, weight, eps, d, at, parts);
  if (inverses && at.lane == 0) inverses[at.row] = r;
}
REGISTER(rms_norm_gradient)

template <int N> DEVICE float layer_norm_gradient_row(float *dx, const float *dy, const float *x, const float *weight, float eps, int d, float mean, Place at, float *parts) {
  float v[N], g[N], w[N], dv[N], squares = 0.0f, sum = 0.0f, dot = 0.0f;
  for (int i = at.lane * N; i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    load<N>(g, dy + i);
    for (int e = 0; e < N; e++) w[e] = 1.0f;
    if (weight) load<N>(w, weight + i);
    for (int e = 0; e < N; e++) {
      float centred = v[e] - mean, product = multiply(g[e], w[e]);
      squares += centred * centred;
      sum += product;
      dot += product * centred;
    }
  }
  float r = 1.0f / sqrtf(row_sum(squares, at.lanes, parts) / d + eps);
  float gradient = row_sum(sum, at.lanes, parts) / d, along = row_sum(dot, at.lanes, parts) / d * r;
  for (int i = at.lane * N; dx && i < d; i += at.lanes * N) {
    load<N>(v, x + i);
    load<N>(g, dy + i);
    for (int e = 0; e < N; e++) w[e] = 1.0f;
    if (weight) load<N>(w, weight + i);
    load<N>(dv, dx + i);
    // products as rounded as in the mean: a row of one feature has a gradient of zero exactly
    for (int e = 0; e < N; e++) dv[e] += r * (multiply(g[e], w[e]) - gradient - (v[e] - mean) * r * along);
    store<N>(dx + i, dv);
  }
  return r;
}

// With h = (x - mean(x)) r and g = dy · weight, which may be null: dx += r (g - mean(g) - h mean(g h)).
KERNEL layer_norm_gradient(float *dx, float *inverses, float *means, const float *dy, const float *x, const float *weight, float eps, int rows, int heads, int d, int wide, int fours) {
  __shared__ float parts[32];
  Place at = place(wide);
  if (at.row >= rows) return;
  i64 row = (i64)at.row * d, head = at.row % heads * (i64)d;
  float mean = fours ? row_mean<4>(x + row, d, at, parts) : row_mean<1>(x + row, d, at, parts);
  float r = fours ? layer_norm_gradient_row<4>(dx ? dx + row : dx, dy + row, x + row, weight ? weight + head : weight, eps, d, mean, at, parts)
    : layer_norm_gradient_row<1>(dx ? dx + row : dx, dy + row, x + row, weight ? weight + head : weight, eps, d, mean, at, parts);
  if (inverses && at.lane == 0) {
    inverses[at.row] = r;
    means[at.row] = mean;
  }
}
REGISTER(layer_norm_gradient)

// ---- gradients of weights: blocks of 256 threads, 32 columns by 8 rows; columns along x --------------------------------------------------------------------------

// The sum over the eight threads of a column, for the first of them. parts: 256 floats.
DEVICE float column_sum(float v, float *parts) {
  __syncthreads();
  parts[threadIdx.x] = v;
  __syncthreads();
  float sum = 0.0f;
  for (int i = threadIdx.x & 31; i < 256; i += 32) sum += parts[i];
  return sum;
}

// Of slab s, rows s · slab on: weights[s][c] = sum of dy (x - mean) r, biases[s][c] = sum of dy; each may be null, and means, which are zeros then. Slabs along y.
// dy, x [rows, heads · d], inverses, means [rows, heads].
KERNEL norm_weight_partials(float *weights, float *biases, const float *dy, const float *x, const float *inverses, const float *means, int rows, int slab, int heads, int d) {
  __shared__ float parts[256];
  int columns = heads * d, c = blockIdx.x * 32 + (threadIdx.x & 31), end = min(rows, (int)(blockIdx.y + 1) * slab);
  float weight = 0.0f, bias = 0.0f;
  if (c < columns) {
    for (int row = blockIdx.y * slab + (threadIdx.x >> 5); row < end; row += 8) {
      i64 at = (i64)row * columns + c, head = (i64)row * heads + c / d;
      float g = dy[at];
      bias += g;
      if (weights) weight += g * (means ? x[at] - means[head] : x[at]) * inverses[head];
    }
  }
  weight = column_sum(weight, parts);
  bias = column_sum(bias, parts);
  if (threadIdx.x >= 32 || c >= columns) return;
  if (weights) weights[(i64)blockIdx.y * columns + c] = weight;
  if (biases) biases[(i64)blockIdx.y * columns + c] = bias;
}
REGISTER(norm_weight_partials)

// sums[c] += sum of partials[slabs][c].
KERNEL norm_weight_sums(float *sums, const float *partials, int slabs, int columns) {
  __shared__ float parts[256];
  int c = blockIdx.x * 32 + (threadIdx.x & 31);
  float sum = 0.0f;
  if (c < columns) for (int slab = threadIdx.x >> 5; slab < slabs; slab += 8) sum += partials[(i64)slab * columns + c];
  sum = column_sum(sum, parts);
  if (threadIdx.x < 32 && c < columns) sums[c] += sum;
}
REGISTER(norm_weight_sums)
