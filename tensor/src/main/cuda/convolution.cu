// The gradient of a convolution's weights, whose factors both come from activations. Must equal ReferencePictureGradients.conv2dWeight.
#include "convolution.cuh"

// The windows of x as rows of B: thread t copies, of each slice of 32 places, 8 numbers of places t / 16, t / 16 + 8, .. at one tap.
struct Places { Windows v; u64 by_columns, by_rows; };

struct WindowRows {
  Places p;
  const u16 *at;
  int row, column, k, end;          // the tap, and the places to come
};

// n / d for n below 2^31, of which the host has made m: a shift in the high half, a factor in the low one (Granlund & Montgomery 1994, "Division by invariant integers using multiplication").
DEVICE u32 divided(u32 n, u64 m) { return (multiply_high(n, (u32)m) + n) >> (int)(m >> 32); }

template <bool K_DOWN> DEVICE Copies copies_of_a(const Places &, const Tile &t) { return copies<K_DOWN>(t.a, t.a_pitch, t.row, t.rows, t.k, t.k_end); }

template <bool K_DOWN> DEVICE WindowRows copies_of_b(const Places &p, const Tile &tile) {
  int column = tile.column + 8 * (threadIdx.x & 15), tap = column / p.v.pitch;
  bool there = column < tile.columns;
  return { p, (const u16 *)tile.b + (column - tap * p.v.pitch), tap / p.v.kw, tap % p.v.kw, tile.k + (int)(threadIdx.x >> 4), there ? tile.k_end : 0 };
}

template <bool K_DOWN, int SIZE> DEVICE void copy_slice(WindowRows &c, u8 *tile) {
  const Windows &v = c.p.v;
#pragma unroll
  for (int i = 0; i < SLICE; i += 8) {
    u32 place = c.k + i, line = divided(place, c.p.by_columns), picture = divided(line, c.p.by_rows);
    int y = (int)(line - picture * v.rows) * v.stride + v.top + c.row, x = (int)(place - line * v.columns) * v.stride + v.left + c.column;
    bool inside = (int)place < c.end && (u32)y < (u32)v.h && (u32)x < (u32)v.w;
    copy_async(tile + wide((threadIdx.x >> 4) + i, threadIdx.x & 15), c.at + ((i64)((int)picture * v.h + y) * v.w + x) * v.pitch, inside ? 16 : 0);
  }
  c.k += SLICE;
}

DEVICE Share share_of_b(const Places &, const Tile &t) { return { t.b, t.b_pitch, t.column, t.columns }; }
DEVICE void turn_to(const Places &, Share &, int) {}
DEVICE int row_of_c(const Places &, const Tile &, int row) { return row; }

// dW += dyᵀ · windows of x: c [out, kh, kw, b_pitch] (+)= the sums over places; a dy [places, a_pitch], b pictures of h x w pixels, b_pitch channels each. Grid: x the tiles, outputs times
// numbers of a window; y parts of the places, split slices each, whose sums go to c + part out kh kw b_pitch. by_columns, by_rows: see divided().
KERNEL __launch_bounds__(THREADS, 2) convolution_weight(float *c, const u16 *a, const u16 *b, int places, int h, int w, int a_pitch, int b_pitch, int kh, int kw, int rows, int columns, i64 by_rows,
                                                        i64 by_columns, int stride, int before, int out, int split, int accumulate) {
  int n = kh * kw * b_pitch, across = (n + COLUMNS - 1) / COLUMNS, row, column, from = blockIdx.y * split * SLICE;
  tile_of(blockIdx.x, gridDim.x / across, across, row, column);
  Places p = { { h, w, b_pitch, b_pitch, kh, kw, 0, rows, columns, stride, -before, -before, 0, 0, 0, 1, 0, 0, 0, 0 }, (u64)by_columns, (u64)by_rows };
  product<BF16, true, true, 128>(Tile { a, a_pitch, row * 128, out, (const u8 *)b, 0, column * COLUMNS, n, from, min(places, from + split * SLICE), places,
    c + (i64)blockIdx.y * out * n, nullptr, nullptr, accumulate }, p);
}
REGISTER(convolution_weight)

// dW[row][i] += parts[row padded + i] + parts[part + row padded + i] + .., in this order: rows, one for each tap of each output, of in numbers from rows of padded ones. Grid: one number a
// thread, blocks of 256.
KERNEL convolution_weight_sums(float *dw, const float *parts, i64 count, int in, int padded, i64 part, int number) {
  i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  i64 row = i / in;
  const float *at = parts + row * padded + (i - row * in);
  float sum = 0.0f;
  for (int p = 0; p < number; p++) sum += at[p * part];
  dw[i] += sum;
}
REGISTER(convolution_weight_sums)
