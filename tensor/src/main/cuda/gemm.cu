// What the products of gemm.cuh need around them, and the product whose factors both come from activations. Must equal the parts of ReferenceGradients.linearWeight and expertWeight.
#include "gemm.cuh"

// to[p] = from[order[p] / used] as bfloat16, rows padded with zeros to padded numbers, a multiple of 8; order null: from[p]. Grid: x blocks of 256 threads, thread i owns chunk i of 8.
template <int FORMAT> DEVICE void bf16_rows(u16 *to, const u8 *from, const int *order, int used, i64 rows, int columns, int padded) {
  i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x, row = i / (padded >> 3);
  if (row >= rows) return;
  int k = (int)(i - row * (padded >> 3)) * 8;
  const u8 *at = from + (order ? order[row] / used : row) * row_bytes<FORMAT>(columns);
  float v[8];
  if ((columns & 7) == 0) {
    read8<FORMAT>(at, k, v);
  } else {
#pragma unroll
    for (int e = 0; e < 8; e++) v[e] = k + e < columns ? plain<FORMAT>(at, k + e) : 0.0f;
  }
  ((uint4 *)to)[i] = { pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7]) };
}

#define BF16_ROWS(name, FORMAT) \
  KERNEL bf16_rows_##name(u16 *to, const u8 *from, const int *order, int used, i64 rows, int columns, int padded) { bf16_rows<FORMAT>(to, from, order, used, rows, columns, padded); } \
  REGISTER(bf16_rows_##name)
EVERY_FLOAT_FORMAT(BF16_ROWS)

// dW += dyᵀ x: c [m, n] (+)= aᵀ b over rows of a and b. Grid: x the tiles; y parts of the rows, split slices each, whose sums go to c + part m n; z experts, whose rows lie between
// offsets[z] and offsets[z + 1] and whose sums go to c + z m n. offsets null: all k rows.
KERNEL __launch_bounds__(THREADS, 2) gemm_weight(float *c, const u16 *a, const u16 *b, const int *offsets, i64 a_pitch, i64 b_pitch, int m, int n, int k, int split, int accumulate) {
  int across = (n + COLUMNS - 1) / COLUMNS, row, column, from = blockIdx.y * split * SLICE, end = min(k, from + split * SLICE);
  tile_of(blockIdx.x, gridDim.x / across, across, row, column);
  if (offsets) {
    from = offsets[blockIdx.z];
    end = offsets[blockIdx.z + 1];
    if (from == end) return;
    c += (i64)blockIdx.z * m * n;
  }
  product<BF16, true, true, 128>(Tile { a, a_pitch, row * 128, m, (const u8 *)b, b_pitch * 2, column * COLUMNS, n, from, end, k, c + (i64)blockIdx.y * m * n, nullptr, nullptr, accumulate });
}
REGISTER(gemm_weight)

// The sums of a product's parts in their order: c[i] (+)= parts[i] + parts[count + i] + .. + bias[i % n]. Grid: one number a thread, blocks of 256.
KERNEL sum_product_parts(float *c, const float *parts, const float *bias, i64 count, int n, int number, int accumulate) {
  i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float sum = 0.0f;
  for (int part = 0; part < number; part++) sum += parts[part * count + i];
  if (bias) sum += bias[i % n];
  c[i] = accumulate ? c[i] + sum : sum;
}
REGISTER(sum_product_parts)

// Sums over the rows of dy [rows, columns], in F32. Grid: x 32 columns each, y parts of the rows, z experts; block: 256 threads, thread t owns column t % 32 of rows t / 32, t / 32 + 8, ..
// sums is [experts, parts, columns]. An expert's rows are order[offsets[z]] to before order[offsets[z + 1]]; order null: all.
KERNEL column_sums(float *sums, const float *dy, const int *order, const int *offsets, int rows, int columns, int accumulate) {
  __shared__ float parts[8][32];
  int lane = threadIdx.x & 31, group = threadIdx.x >> 5, column = blockIdx.x * 32 + lane;
  int begin = order ? offsets[blockIdx.z] : 0, end = order ? offsets[blockIdx.z + 1] : rows;
  int share = (end - begin + (int)gridDim.y - 1) / (int)gridDim.y;
  begin += blockIdx.y * share;
  end = min(end, begin + share);
  float sum = 0.0f;
  if (column < columns) for (int row = begin + group; row < end; row += 8) sum += dy[(i64)(order ? order[row] : row) * columns + column];
  parts[group][lane] = sum;
  __syncthreads();
  if (group > 0 || column >= columns) return;
  sum = 0.0f;
#pragma unroll
  for (int g = 0; g < 8; g++) sum += parts[g][lane];
  float *to = sums + ((i64)blockIdx.z * gridDim.y + blockIdx.y) * columns + column;
  *to = accumulate ? *to + sum : sum;
}
REGISTER(column_sums)
