// How threads share out the elements of tensors: four neighbours each, moved as 16 bytes where every tensor lies so. Loads of 16 bytes by full warps reach the memory's bandwidth with
// one such load a thread and tensor; tensors that begin elsewhere (views by rows of odd widths) are read element by element.
#pragma once
#include "port.cuh"

// Elements at .. at + count - 1 of a tensor, at most four; whole: they are four that begin at a multiple of 16 bytes in every tensor.
struct Four { i64 at; int count; bool whole; };

// What this thread owns of count elements. Grid: count / 1024 blocks, rounded up, of 256 threads (class Elements). addresses: where the tensors begin, joined by |.
DEVICE Four four_of(i64 count, u64 addresses) {
  Four own;
  own.at = 4 * ((i64)blockIdx.x * blockDim.x + threadIdx.x);
  i64 left = count - own.at;
  own.count = left >= 4 ? 4 : left > 0 ? (int)left : 0;
  own.whole = own.count == 4 && (addresses & 15) == 0;
  return own;
}

// Four columns of one row.
struct Cell { i64 row; int column, count; bool whole; };

// What this thread owns of a matrix. Block: 256 threads, 2^shift across and the others below each other. Grid: x over rows, y over columns (class Elements).
// addresses, widths: where the tensors begin and how far apart their rows and parts lie, each joined by |.
DEVICE Cell cell_of(i64 rows, int columns, int shift, u64 addresses, int widths) {
  Cell own;
  own.row = (i64)blockIdx.x * (blockDim.x >> shift) + (threadIdx.x >> shift);
  own.column = 4 * ((int)(blockIdx.y << shift) + (int)(threadIdx.x & ((1u << shift) - 1)));
  int left = own.row < rows ? columns - own.column : 0;
  own.count = left >= 4 ? 4 : left > 0 ? left : 0;
  own.whole = own.count == 4 && (addresses & 15) == 0 && (widths & 3) == 0;
  return own;
}

// Where a cell lies in a tensor whose rows have this width, from column shift on.
DEVICE Four in_rows(Cell own, int width, int shift) { return Four{own.row * width + shift + own.column, own.count, own.whole}; }
// Where it lies in a row that all rows share.
DEVICE Four in_row(Cell own) { return Four{own.column, own.count, own.whole}; }

// What is not there reads as 0.
DEVICE void load(float v[4], const float *x, Four own) {
  if (own.whole) {
    float4 four = *(const float4 *)(x + own.at);
    v[0] = four.x; v[1] = four.y; v[2] = four.z; v[3] = four.w;
  } else {
    #pragma unroll
    for (int i = 0; i < 4; i++) v[i] = i < own.count ? x[own.at + i] : 0.0f;
  }
}

DEVICE void store(float *y, const float v[4], Four own) {
  if (own.whole) {
    *(float4 *)(y + own.at) = float4{v[0], v[1], v[2], v[3]};
  } else {
    #pragma unroll
    for (int i = 0; i < 4; i++) if (i < own.count) y[own.at + i] = v[i];
  }
}

// Adds to a gradient, if it is wanted. Reads what another call of this thread stored: an operation may take one tensor twice.
DEVICE void add_to(float *dx, const float v[4], Four own) {
  if (!dx) return;
  float sum[4];
  load(sum, dx, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) sum[i] += v[i];
  store(dx, sum, own);
}
