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

// Where a cell lies in a tensor of which `sharing` neighbouring rows share one.
DEVICE Four in_shared(Cell own, int width, i64 sharing) { return Four{own.row / sharing * width + own.column, own.count, own.whole}; }

// y = x (1 + scale) + shift with one row of scale for `scaled` rows of x, of shift for `shifted`; either may be null.
KERNEL modulate(float *y, const float *x, const float *scale, const float *shift, i64 scaled, i64 shifted, i64 rows, int columns, int owners) {
  Cell own = cell_of(rows, columns, owners, (u64)y | (u64)x | (u64)scale | (u64)shift, columns);
  float v[4], f[4];
  load(v, x, in_rows(own, columns, 0));
  if (scale) {
    load(f, scale, in_shared(own, columns, scaled));
    #pragma unroll
    for (int i = 0; i < 4; i++) v[i] *= 1.0f + f[i];
  }
  if (shift) {
    load(f, shift, in_shared(own, columns, shifted));
    #pragma unroll
    for (int i = 0; i < 4; i++) v[i] += f[i];
  }
  store(y, v, in_rows(own, columns, 0));
}
REGISTER(modulate)

// y = residual + gate x with one row of gate for `sharing` rows.
KERNEL gated(float *y, const float *residual, const float *x, const float *gate, i64 sharing, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)y | (u64)residual | (u64)x | (u64)gate, columns);
  float r[4], v[4], f[4];
  load(r, residual, in_rows(own, columns, 0));
  load(v, x, in_rows(own, columns, 0));
  load(f, gate, in_shared(own, columns, sharing));
  #pragma unroll
  for (int i = 0; i < 4; i++) r[i] += f[i] * v[i];
  store(y, r, in_rows(own, columns, 0));
}
REGISTER(gated)

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

// dx += dy (least + factors), factors null for zeros: of modulate with 1, of gated with 0.
KERNEL shared_factor_gradient(float *dx, const float *dy, const float *factors, float least, i64 sharing, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)dx | (u64)dy | (u64)factors, columns);
  float d[4], f[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  load(d, dy, in_rows(own, columns, 0));
  if (factors) load(f, factors, in_shared(own, columns, sharing));
  #pragma unroll
  for (int i = 0; i < 4; i++) d[i] *= least + f[i];
  add_to(dx, d, in_rows(own, columns, 0));
}
REGISTER(shared_factor_gradient)

// ---- sums over rows: of chunks first, then of the chunks' sums, in an order that the shape alone decides ---------------------------------------------------
// Block: 256 threads, 32 columns by 8 rows in turn, so that a warp reads 128 bytes. Grid: x over columns, y over chunks of rows. Shared memory: 1 KB for each sum.

// Sums f over rows first .. end - 1 of this thread's column, of those of block `block`; what the threads of warp 0 get is the block's.
template <int N, class F> DEVICE void column_sums(float sums[N], i64 first, i64 end, int block, int columns, F f) {
  __shared__ float parts[N][8][32];
  int lane = threadIdx.x & 31, turn = threadIdx.x >> 5, column = block * 32 + lane;
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
  column_sums<2>(sums, first, least(rows, first + chunk), blockIdx.x, columns, [=](i64 row, int column, float *s) {
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
  column_sums<1>(sums, first, least(rows, first + chunk), blockIdx.x, columns, [=](i64 row, int column, float *s) {
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
  column_sums<1>(sums, 0, chunks, blockIdx.x, columns, [=](i64 row, int column, float *s) { s[0] += parts[row * columns + column]; });
  int column = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.x < 32 && column < columns) to[column] += divisors ? sums[0] / divisors[column] : sums[0];
}
REGISTER(add_sums)

// Of groups of `sharing` neighbouring rows: parts [groups, chunks, columns] are the sums of dy x, or of dy where x is null, over chunks of a group's rows. Grid: x blocks of columns for each
// group, y chunks.
KERNEL shared_sums(float *parts, const float *dy, const float *x, i64 sharing, int columns, int blocks, i64 chunk) {
  float sums[1];
  int block = blockIdx.x % blocks, group = blockIdx.x / blocks;
  i64 first = blockIdx.y * chunk, start = group * sharing;
  column_sums<1>(sums, start + least(sharing, first), start + least(sharing, first + chunk), block, columns, [=](i64 row, int column, float *s) {
    i64 i = row * columns + column;
    s[0] += x ? dy[i] * x[i] : dy[i];
  });
  int column = block * 32 + threadIdx.x;
  if (threadIdx.x < 32 && column < columns) parts[((i64)group * gridDim.y + blockIdx.y) * columns + column] = sums[0];
}
REGISTER(shared_sums)

// to [groups, columns] += the sums over parts [groups, chunks, columns]. Grid: x blocks of columns for each group.
KERNEL add_shared_sums(float *to, const float *parts, int chunks, int columns, int blocks) {
  float sums[1];
  int block = blockIdx.x % blocks, group = blockIdx.x / blocks, column = block * 32 + threadIdx.x;
  column_sums<1>(sums, (i64)group * chunks, ((i64)group + 1) * chunks, block, columns, [=](i64 row, int c, float *s) { s[0] += parts[row * columns + c]; });
  if (threadIdx.x < 32 && column < columns) to[(i64)group * columns + column] += sums[0];
}
REGISTER(add_shared_sums)
