// Rows chosen from tables, and put into caches. Must equal the methods of the same names of ReferenceKernels and ReferenceGradients. Grid, block and what a thread owns are
// said at each kernel; all are bound by memory, and threads side by side read and write addresses side by side. A kernel cannot throw: where the reference refuses an index that is
// outside of its table, rows that are read become NaN and rows that are written are left out.
#include "blocks.cuh"

// Row i of y is row tokens[i] of the table. Grid: one block for each token. Block: 128 threads. Shared memory: none. A thread owns every 128th element, of quantized formats every
// 128th group of 8.
template <int FORMAT> DEVICE void embed(float *y, const int *tokens, const u8 *table, i64 rows, int dim) {
  i64 token = tokens[blockIdx.x];
  const u8 *row = table + token * row_bytes<FORMAT>(dim);
  bool inside = token >= 0 && token < rows;
  y += (i64)blockIdx.x * dim;
  if constexpr (Block<FORMAT>::ELEMENTS == 1) {
    for (int k = threadIdx.x; k < dim; k += blockDim.x) y[k] = inside ? plain<FORMAT>(row, k) : NAN;
  } else {
    for (int k = 8 * threadIdx.x; k < dim; k += 8 * blockDim.x) {
      float w[8];
      if (inside) weight8<FORMAT>(row, k, w); else for (int i = 0; i < 8; i++) w[i] = NAN;
      for (int i = 0; i < 8; i++) y[k + i] = w[i];
    }
  }
}

#define EMBEDDING(name, FORMAT) \
  KERNEL embedding_##name(float *y, const int *tokens, const u8 *table, i64 rows, int dim) { embed<FORMAT>(y, tokens, table, rows, dim); } \
  REGISTER(embedding_##name)
EVERY_FORMAT(EMBEDDING)

// y[i] = x[rows[i]], rows of d floats. Grid: one block for each row of y. Block: 128 threads. Shared memory: none. A thread owns every 128th column.
KERNEL gather_rows(float *y, const float *x, const int *rows, int count, int d) {
  int row = rows[blockIdx.x];
  bool inside = row >= 0 && row < count;
  for (int k = threadIdx.x; k < d; k += blockDim.x) y[(i64)blockIdx.x * d + k] = inside ? x[(i64)row * d + k] : NAN;
}
REGISTER(gather_rows)

// ---- gradients of rows that were chosen ---------------------------------------------------------------------------------------------------------------------

// A stable order of n integers: order[i] is where the i-th smallest stands, equal ones as they stand, so that sums over equal ones do not depend on who comes first. Each thread
// counts who precedes its own: n² comparisons, 50 microseconds for 16,384 tokens on an H200. Grid: one thread for each. Block: 128 threads. Shared memory: a part of the integers.
KERNEL order_rows(int *order, const int *rows, int n) {
  __shared__ int part[128];
  int i = blockIdx.x * 128 + threadIdx.x, mine = i < n ? rows[i] : 0, before = 0;
  for (int from = 0; from < n; from += 128) {
    __syncthreads();
    if (from + (int)threadIdx.x < n) part[threadIdx.x] = rows[from + threadIdx.x];
    __syncthreads();
    int count = min(128, n - from);
    for (int j = 0; j < count; j++) before += part[j] < mine || (part[j] == mine && from + j < i);
  }
  if (i < n) order[before] = i;
}
REGISTER(order_rows)

// table[rows[i]] += dy[i], rows of d floats, table of count rows. Grid: (n, ceil(d / 256)) blocks, one for each place of the order; that of the first of equal rows adds them all up,
// the others end at once. Block: 256 threads. Shared memory: none. A thread owns a column.
KERNEL add_rows(float *table, const float *dy, const int *rows, const int *order, int n, int count, int d) {
  int place = blockIdx.x, k = blockIdx.y * 256 + threadIdx.x, row = rows[order[place]];
  if (k >= d || row < 0 || row >= count || (place > 0 && rows[order[place - 1]] == row)) return;
  float sum = table[(i64)row * d + k];
  // Four rows at once are on their way; they are added in order.
  for (; place + 3 < n && rows[order[place + 3]] == row; place += 4) {
    float a = dy[(i64)order[place] * d + k], b = dy[(i64)order[place + 1] * d + k], c = dy[(i64)order[place + 2] * d + k], e = dy[(i64)order[place + 3] * d + k];
    sum = sum + a + b + c + e;
  }
  for (; place < n && rows[order[place]] == row; place++) sum += dy[(i64)order[place] * d + k];
  table[(i64)row * d + k] = sum;
}
REGISTER(add_rows)

// ---- caches ---------------------------------------------------------------------------------------------------------------------------------------------------

// Row slots[i] of a cache of so many rows is x[i], rounded to its format. Slots are all different. Grid: one block for each row. Block: 128 threads. Shared memory: none. A thread
// owns every 128th number.
KERNEL scatter_f32(float *cache, const float *x, const int *slots, i64 rows, int d) {
  int slot = slots[blockIdx.x];
  if (slot < 0 || slot >= rows) return;
  for (int k = threadIdx.x; k < d; k += blockDim.x) cache[(i64)slot * d + k] = x[(i64)blockIdx.x * d + k];
}
REGISTER(scatter_f32)

KERNEL scatter_f16(u16 *cache, const float *x, const int *slots, i64 rows, int d) {
  int slot = slots[blockIdx.x];
  if (slot < 0 || slot >= rows) return;
  for (int k = threadIdx.x; k < d; k += blockDim.x) cache[(i64)slot * d + k] = f32_to_f16(x[(i64)blockIdx.x * d + k]);
}
REGISTER(scatter_f16)

// As RoundedBlocks.q8: d = largest magnitude / 127, q = x / d to nearest, ties away from zero. A warp owns a block of 32, a lane a number. What a block cannot hold makes it NaN.
KERNEL scatter_q8_0(u8 *cache, const float *x, const int *slots, i64 rows, int d) {
  int slot = slots[blockIdx.x], lane = threadIdx.x & 31;
  if (slot < 0 || slot >= rows) return;
  u8 *row = cache + slot * row_bytes<Q8_0>(d);
  for (int from = threadIdx.x & ~31; from < d; from += blockDim.x) {
    float value = x[(i64)blockIdx.x * d + from + lane];
    int largest = (int)(f32_to_bits(value) & 0x7fffffffu);                              // as bits, whose order is that of the numbers, NaN last
    for (int mask = 16; mask > 0; mask >>= 1) largest = max(largest, shuffle_xor(largest, mask));
    float scale = bits_to_f32((u32)largest) / 127.0f, inverse = 1.0f / scale;
    u16 half = f32_to_f16(scale);
    bool holds = (half & 0x7fff) < 0x7c00;
    if (!(inverse < INFINITY)) inverse = 0;
    u8 *block = row + from / 32 * Block<Q8_0>::BYTES;
    block[2 + lane] = holds ? (u8)(int)roundf(value * inverse) : 0;
    if (lane == 0) *(u16 *)block = holds ? half : 0x7e00;
  }
}
REGISTER(scatter_q8_0)
