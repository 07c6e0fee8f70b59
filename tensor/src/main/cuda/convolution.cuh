// Convolutions as products of matrices (gemm.cuh) one of whose factors is never in memory: a row for each place of a window, its columns what is seen from there, tap after tap and of each tap
// channel after channel. Slices of 32 lie within a tap (channels are filled up with zeros), so that a slice of a row is 64 bytes of one pixel, or zeros outside of the picture; pictures are bfloat16
// with channels padded to multiples of 8.
//   y = windows of x · Wᵀ        A = windows of x, B = W [out, kh, kw, in], both with k along their rows
//   dx += windows of dy · W      A = windows of dy, B = W, whose rows are k; with a stride there are stride² kinds of pixels of dx (blockIdx.z), each met by its own taps of the window
//   dW += dyᵀ · windows of x     A = dy, B = windows of x, the rows of both are k
// Block: 128 threads; shared memory: 48 KiB dynamic, as in gemm.cuh. A thread copies parts of four rows: it keeps where their windows begin, and which tap comes next.
// Results equal ReferencePictures.conv2d and ReferencePictureGradients.conv2dInput, conv2dWeight to about 1e-5 (normalised mean squared error): factors are rounded to 8 bits of mantissa.
#pragma once
#include "gemm.cuh"

// Windows on pictures [.., h, w, channels], places [.., rows, columns]: that of place (i, r, c) begins at pixel (r stride + top, c stride + left), which may lie outside.
// Height and width, with padding, are below 2^15.
struct Windows {
  int h, w, channels, pitch;        // pitch: numbers from pixel to pixel
  int kh, kw, per_tap;              // slices of a tap
  int rows, columns, stride, top, left;
  i64 first, down, across;          // in a row of the weights (columns where rows are k): bytes to the first tap, from a tap to the one below and beside it
  int step, step_row, step_column, c_rows, c_columns;   // place (i, r, c) is pixel (r step + step_row, c step + step_column) of C [.., c_rows, c_columns]
};

// The slice that comes next: of which tap, and which of its slices.
struct Tap { int row, column, slice; };

DEVICE Tap tap_of(const Windows &v, int slice) {
  int tap = slice / v.per_tap;
  return { tap / v.kw, tap % v.kw, slice % v.per_tap };
}

DEVICE void next_slice(const Windows &v, Tap &tap) {
  if (++tap.slice < v.per_tap) return;
  tap.slice = 0;
  if (++tap.column < v.kw) return;
  tap.column = 0;
  tap.row++;
}

// ---- windows as rows of A ----------------------------------------------------------------------------------------------------------------------------------------

struct WindowCopies {
  Windows v;
  const u16 *pictures;
  Tap tap;
  int pixel[4], corner[4];          // where the windows of rows t / 4, t / 4 + 32, .. begin: the pixel's number, and its row and column in 16 bits each
};

template <bool K_DOWN> DEVICE WindowCopies copies_of_a(const Windows &v, const Tile &tile) {
  WindowCopies c;
  c.v = v;
  c.pictures = tile.a + 8 * (threadIdx.x & 3);
  c.tap = tap_of(v, tile.k / SLICE);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    int place = tile.row + (threadIdx.x >> 2) + 32 * i, picture = place / (v.rows * v.columns), in_picture = place - picture * (v.rows * v.columns);
    int row = in_picture / v.columns, y = row * v.stride + v.top, x = (in_picture - row * v.columns) * v.stride + v.left;
    if (place >= tile.rows) y = -32768;                                             // outside, whatever the tap
    c.pixel[i] = (picture * v.h + y) * v.w + x;
    c.corner[i] = y * 65536 + (x & 65535);
  }
  return c;
}

template <bool K_DOWN, int SIZE> DEVICE void copy_slice(WindowCopies &c, u8 *tile) {
  int chunk = threadIdx.x & 3, channel = c.tap.slice * SLICE, beside = c.tap.row * c.v.w + c.tap.column;
  bool there = channel + 8 * chunk < c.v.pitch;
#pragma unroll
  for (int i = 0; i < SIZE / 32; i++) {
    int y = (c.corner[i] >> 16) + c.tap.row, x = (short)c.corner[i] + c.tap.column;
    bool inside = there && (u32)y < (u32)c.v.h && (u32)x < (u32)c.v.w;
    copy_async(tile + narrow((threadIdx.x >> 2) + 32 * i, chunk), c.pictures + (i64)(c.pixel[i] + beside) * c.v.pitch + channel, inside ? 16 : 0);
  }
  next_slice(c.v, c.tap);
}

// ---- weights, tap after tap --------------------------------------------------------------------------------------------------------------------------------------

DEVICE i64 bytes_to(const Windows &v, const Tap &tap) { return v.first + tap.row * v.down + tap.column * v.across; }

struct TapCopies {
  Windows v;
  const u8 *at;
  i64 pitch;                        // bytes
  Tap tap;
  int left;                         // as in Copies
};

template <bool K_DOWN> DEVICE TapCopies copies_of_b(const Windows &v, const Tile &tile) {
  int t = threadIdx.x, row = K_DOWN ? t >> 4 : tile.column + (t >> 2), column = K_DOWN ? tile.column + 8 * (t & 15) : 8 * (t & 3);
  return { v, tile.b + row * tile.b_pitch + 2 * column, tile.b_pitch, tap_of(v, tile.k / SLICE), tile.columns - (K_DOWN ? column : row) };
}

template <bool K_DOWN, int SIZE> DEVICE void copy_slice(TapCopies &c, u8 *tile) {
  int t = threadIdx.x, k = c.tap.slice * SLICE;
  const u8 *at = c.at + bytes_to(c.v, c.tap);
  if (K_DOWN) {
#pragma unroll
    for (int i = 0; i < SLICE; i += 8) {
      int row = k + (t >> 4) + i;
      copy_async(tile + wide((t >> 4) + i, t & 15), at + (k + i) * c.pitch, c.left > 0 && row < c.v.channels ? 16 : 0);
    }
  } else {
#pragma unroll
    for (int i = 0; i < SIZE; i += 32) copy_async(tile + narrow((t >> 2) + i, t & 3), at + i * c.pitch + 2 * k, i < c.left && k + 8 * (t & 3) < c.v.channels ? 16 : 0);
  }
  next_slice(c.v, c.tap);
}

struct TapShare {
  Share of_tap;
  const u8 *weight;
  Tap tap;
  int slice;                        // of all
};

DEVICE TapShare share_of_b(const Windows &v, const Tile &tile) {
  int slice = tile.k / SLICE;
  Tap tap = tap_of(v, slice);
  return { { tile.b + bytes_to(v, tap), tile.b_pitch, tile.column, tile.columns }, tile.b, tap, slice };
}

DEVICE void turn_to(const Windows &v, TapShare &share, int slice) {
  if (slice == share.slice) return;
  share.slice = slice;
  next_slice(v, share.tap);
  share.of_tap.weight = share.weight + bytes_to(v, share.tap);
}

// What lies beyond the channels repeats the last of them and meets zeros of A.
template <int FORMAT, bool K_DOWN> DEVICE void read_share(u32 values[8], const TapShare &share, int, int channels, int first) {
  read_share<FORMAT, K_DOWN>(values, share.of_tap, share.tap.slice, channels, first);
}

DEVICE int row_of_c(const Windows &v, const Tile &, int place) {
  if (v.step == 1) return place;
  int row = place / v.columns, picture = row / v.rows;
  return (picture * v.c_rows + (row - picture * v.rows) * v.step + v.step_row) * v.c_columns + (place - row * v.columns) * v.step + v.step_column;
}

// ---- the kernels of a format --------------------------------------------------------------------------------------------------------------------------------------

DEVICE int slices_of(int channels) { return (channels + SLICE - 1) / SLICE; }

// y = windows of x · Wᵀ + bias: a pictures of h x w pixels, c [pictures, rows, columns, out]. Grid: x the tiles, places times outputs; y parts of k, split slices each, whose sums go to
// c + part places out. pitch, tap: bytes from output to output and from tap to tap.
template <int FORMAT>
DEVICE void convolution(float *c, const u16 *a, const u8 *weight, const float *bias, i64 pitch, i64 tap, int pictures, int h, int w, int in, int a_pitch, int kh, int kw, int rows, int columns,
                        int stride, int before, int out, int split) {
  int places = pictures * rows * columns, across = (out + COLUMNS - 1) / COLUMNS, row, column;
  tile_of(blockIdx.x, gridDim.x / across, across, row, column);
  Windows v = { h, w, in, a_pitch, kh, kw, slices_of(in), rows, columns, stride, -before, -before, 0, kw * tap, tap, 1, 0, 0, rows, columns };
  int from = blockIdx.y * split * SLICE, end = kh * kw * v.per_tap * SLICE;
  product<FORMAT, false, false, 128>(Tile { a, a_pitch, row * 128, places, weight, pitch, column * COLUMNS, out, from, min(end, from + split * SLICE), in,
    c + (i64)blockIdx.y * places * out, nullptr, bias, 0 }, v);
}

// dx += windows of dy · W: a pictures dy of h x w pixels and out channels, c dx [pictures, rows, columns, in]. Grid: x the tiles, pixels of one kind times channels; y as above (stride 1 only);
// z the kinds of pixels, kinds of them beside each other.
template <int FORMAT>
DEVICE void convolution_input(float *c, const u16 *a, const u8 *weight, i64 pitch, i64 tap, int pictures, int h, int w, int out, int a_pitch, int kh, int kw, int rows, int columns, int stride,
                              int before, int in, int kinds, int split, int accumulate) {
  int kind_row = blockIdx.z / kinds, kind_column = blockIdx.z % kinds, least_row = (kind_row + before) % stride, least_column = (kind_column + before) % stride;
  if (least_row >= kh || least_column >= kw) return;                                // no tap meets them
  int taps_down = (kh - 1 - least_row) / stride, taps_across = (kw - 1 - least_column) / stride;    // but for one
  int last_row = least_row + taps_down * stride, last_column = least_column + taps_across * stride;
  Windows v = { h, w, out, a_pitch, taps_down + 1, taps_across + 1, slices_of(out), (rows - kind_row + stride - 1) / stride, (columns - kind_column + stride - 1) / stride, 1,
    (kind_row + before - last_row) / stride, (kind_column + before - last_column) / stride, (last_row * kw + last_column) * tap, -stride * kw * tap, -stride * tap,
    stride, kind_row, kind_column, rows, columns };
  int places = pictures * v.rows * v.columns, across = (in + COLUMNS - 1) / COLUMNS, row, column;
  tile_of(blockIdx.x, gridDim.x / across, across, row, column);
  if (row * 128 >= places) return;
  int from = blockIdx.y * split * SLICE, end = v.kh * v.kw * v.per_tap * SLICE;
  product<FORMAT, false, true, 128>(Tile { a, a_pitch, row * 128, places, weight, pitch, column * COLUMNS, in, from, min(end, from + split * SLICE), out,
    c + (i64)blockIdx.y * places * in, nullptr, nullptr, accumulate }, v);
}

// convolution_<format>: y = windows of x · Wᵀ + bias. convolution_<format>_input: dx += windows of dy · W.
#define CONVOLUTION(name, FORMAT) \
  KERNEL __launch_bounds__(THREADS, 2) convolution_##name(float *c, const u16 *a, const u8 *weight, const float *bias, i64 pitch, i64 tap, int pictures, int h, int w, int in, int a_pitch, int kh, \
                                                          int kw, int rows, int columns, int stride, int before, int out, int split) { \
    convolution<FORMAT>(c, a, weight, bias, pitch, tap, pictures, h, w, in, a_pitch, kh, kw, rows, columns, stride, before, out, split); \
  } \
  REGISTER(convolution_##name) \
  KERNEL __launch_bounds__(THREADS, 2) convolution_##name##_input(float *c, const u16 *a, const u8 *weight, i64 pitch, i64 tap, int pictures, int h, int w, int out, int a_pitch, int kh, int kw, \
                                                                  int rows, int columns, int stride, int before, int in, int kinds, int split, int accumulate) { \
    convolution_input<FORMAT>(c, a, weight, pitch, tap, pictures, h, w, out, a_pitch, kh, kw, rows, columns, stride, before, in, kinds, split, accumulate); \
  } \
  REGISTER(convolution_##name##_input)
