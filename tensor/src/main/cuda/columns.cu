// Parts of rows, and what is the same for all rows. Grid and block: those of cell_of (elements.cuh), but for sums over rows; a thread owns four columns of a row.
// Must equal the methods of the same names of ReferenceKernels and ReferenceGradients; concat and columns to the bit, for they only move numbers.
#include "elements.cuh"

// y = x factors / divisors + bias; divisors and bias may be null.
KERNEL scale_columns(float *y, const float *x, const float *factors, const float *divisors, const float *bias, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)y | (u64)x | (u64)factors | (u64)divisors | (u64)bias, columns);
  float v[4], f[4];
  load(v, x, in_rows(own, columns, 0));
  load(f, factors, in_row(own));
  #pragma unroll
  for (int i = 0; i < 4; i++) v[i] *= f[i];
  if (divisors) {
    load(f, divisors, in_row(own));
    #pragma unroll
    for (int i = 0; i < 4; i++) v[i] /= f[i];
  }
  if (bias) {
    load(f, bias, in_row(own));
    #pragma unroll
    for (int i = 0; i < 4; i++) v[i] += f[i];
  }
  store(y, v, in_rows(own, columns, 0));
}
REGISTER(scale_columns)

// y = a + (b - a) weight; one: there is one row of weights for all.
KERNEL lerp_rows(float *y, const float *a, const float *b, const float *weight, int one, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)y | (u64)a | (u64)b | (u64)weight, columns);
  Four all = in_rows(own, columns, 0);
  float u[4], v[4], w[4];
  load(u, a, all);
  load(v, b, all);
  load(w, weight, one ? in_row(own) : all);
  #pragma unroll
  for (int i = 0; i < 4; i++) u[i] += (v[i] - u[i]) * w[i];
  store(y, u, all);
}
REGISTER(lerp_rows)

// y[r] = a[r] and then b[r], left and right columns wide. Cells are those of y.
KERNEL concat_rows(float *y, const float *a, const float *b, int left, int right, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)y | (u64)a | (u64)b, left | right);
  float v[4];
  if (own.whole) {
    if (own.column < left) load(v, a, in_rows(own, left, 0));
    else load(v, b, in_rows(own, right, -left));
  } else {
    for (int i = 0; i < own.count; i++) {
      int column = own.column + i;
      v[i] = column < left ? a[own.row * left + column] : b[own.row * right + column - left];
    }
  }
  store(y, v, in_rows(own, columns, 0));
}
REGISTER(concat_rows)

// y[r][c] = x[r][from + c]. Cells are those of y.
KERNEL take_columns(float *y, const float *x, int width, int from, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)y | (u64)x, columns | width | from);
  float v[4];
  load(v, x, in_rows(own, width, from));
  store(y, v, in_rows(own, columns, 0));
}
REGISTER(take_columns)

// ---- gradients: each destination may be null -----------------------------------------------------------------------------------------------------------

// dx += dy factors / divisors
KERNEL scale_columns_gradient(float *dx, const float *dy, const float *factors, const float *divisors, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)dx | (u64)dy | (u64)factors | (u64)divisors, columns);
  Four all = in_rows(own, columns, 0);
  float d[4], f[4];
  load(d, dy, all);
  load(f, factors, in_row(own));
  #pragma unroll
  for (int i = 0; i < 4; i++) d[i] *= f[i];
  if (divisors) {
    load(f, divisors, in_row(own));
    #pragma unroll
    for (int i = 0; i < 4; i++) d[i] /= f[i];
  }
  add_to(dx, d, all);
}
REGISTER(scale_columns_gradient)

// da += dy (1 - weight), db += dy weight and, where each element has a weight of its own, dWeight += dy (b - a).
KERNEL lerp_gradient(float *da, float *db, float *dWeight, const float *dy, const float *a, const float *b, const float *weight, int one, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)da | (u64)db | (u64)dWeight | (u64)dy | (u64)a | (u64)b | (u64)weight, columns);
  Four all = in_rows(own, columns, 0);
  float d[4], w[4], s[4];
  load(d, dy, all);
  load(w, weight, one ? in_row(own) : all);
  #pragma unroll
  for (int i = 0; i < 4; i++) s[i] = d[i] * (1.0f - w[i]);
  add_to(da, s, all);
  #pragma unroll
  for (int i = 0; i < 4; i++) s[i] = d[i] * w[i];
  add_to(db, s, all);
  if (dWeight) {
    float u[4], v[4];
    load(u, a, all);
    load(v, b, all);
    #pragma unroll
    for (int i = 0; i < 4; i++) s[i] = d[i] * (v[i] - u[i]);
    add_to(dWeight, s, all);
  }
}
REGISTER(lerp_gradient)

// Columns dxFrom .. dxFrom + columns - 1 of dx += those of dy from dyFrom on; rows are dxWidth and dyWidth wide. For concat, whose gradient is a part of dy, and for columns, whose is a part of dx.
KERNEL add_columns(float *dx, const float *dy, int dxWidth, int dxFrom, int dyWidth, int dyFrom, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)dx | (u64)dy, columns | dxWidth | dxFrom | dyWidth | dyFrom);
  float d[4];
  load(d, dy, in_rows(own, dyWidth, dyFrom));
  add_to(dx, d, in_rows(own, dxWidth, dxFrom));
}
REGISTER(add_columns)

// ---- sums over rows: of chunks first, then of the chunks' sums, in an order that the shape alone decides ---------------------------------------------------
// Block: 256 threads, 32 columns by 8 rows in turn, so that a warp reads 128 bytes. Grid: x over columns, y over chunks of rows. Shared memory: 1 KB for each sum.

// Sums f over rows first .. end - 1 of this thread's column; what the threads of warp 0 get is the block's.
template <int N, class F> DEVICE void column_sums(float sums[N], i64 first, i64 end, int columns, F f) {
  __shared__ float parts[N][8][32];
  int lane = threadIdx.x & 31, turn = threadIdx.x >> 5, column = (int)blockIdx.x * 32 + lane;
  for (int n = 0; n < N; n++) sums[n] = 0.0f;
  if (column < columns) for (i64 row = first + turn; row < end; row += 8) f(row, column, sums);
  for (int n = 0; n < N; n++) parts[n][turn][lane] = sums[n];
  __syncthreads();
  if (turn > 0) return;
  for (int n = 0; n < N; n++) for (int t = 1; t < 8; t++) sums[n] += parts[n][t][lane];
}

DEVICE i64 least(i64 a, i64 b) { return a < b ? a : b; }

// parts [2, chunks, columns]: the sums of dy x and those of dy.
KERNEL scale_columns_sums(float *parts, const float *dy, const float *x, i64 rows, int columns, i64 chunk) {
  float sums[2];
  i64 first = blockIdx.y * chunk;
  column_sums<2>(sums, first, least(rows, first + chunk), columns, [=](i64 row, int column, float *s) {
    i64 i = row * columns + column;
    s[0] += dy[i] * x[i];
    s[1] += dy[i];
  });
  int column = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.x >= 32 || column >= columns) return;
  parts[(i64)blockIdx.y * columns + column] = sums[0];
  parts[(i64)(gridDim.y + blockIdx.y) * columns + column] = sums[1];
}
REGISTER(scale_columns_sums)

// parts [chunks, columns]: the sums of dy (b - a).
KERNEL lerp_sums(float *parts, const float *dy, const float *a, const float *b, i64 rows, int columns, i64 chunk) {
  float sums[1];
  i64 first = blockIdx.y * chunk;
  column_sums<1>(sums, first, least(rows, first + chunk), columns, [=](i64 row, int column, float *s) {
    i64 i = row * columns + column;
    s[0] += dy[i] * (b[i] - a[i]);
  });
  int column = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.x < 32 && column < columns) parts[(i64)blockIdx.y * columns + column] = sums[0];
}
REGISTER(lerp_sums)

// to += sums over parts [chunks, columns] / divisors, which may be null. Grid y: 1.
KERNEL add_sums(float *to, const float *parts, const float *divisors, int chunks, int columns) {
  float sums[1];
  column_sums<1>(sums, 0, chunks, columns, [=](i64 row, int column, float *s) { s[0] += parts[row * columns + column]; });
  int column = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.x < 32 && column < columns) to[column] += divisors ? sums[0] / divisors[column] : sums[0];
}
REGISTER(add_sums)
