// The kernels of attention to another sequence, included by attention_flash_cross_WIDTH.cu, so that a program compiles those of its head dims only. Must equal ReferenceKernels.crossAttention; for
// grids, blocks and shared memory see attention_flash.cuh.
#pragma once
#include "attention_flash.cuh"

// keys [sequences, keyRows, kvHeads, keyDim], values [sequences, keyRows, kvHeads, valueWidth]: as attention_round leaves them; n: rows of all sequences, of `queries` each.
#define FLASH_CROSS(name, NV, WM, WK, N, blocks)                                                                                                                                \
  KERNEL __launch_bounds__(32 * WM * WK, blocks) name(                                                                                                                          \
              float *y, const float *q, const u8 *keys, const u8 *values, const int *lengths, const float *bias, int n, int queries, int keyRows, int heads, int kvHeads,       \
              int headDim, int valueDim, int keyDim, int valueWidth, float scale, int headTiles, int groupTile, int tileRows, int slices, int stages) {                         \
    Cross cross = {lengths, bias, n, queries, keyRows};                                                                                                                         \
    Heads shape = {heads, kvHeads, headDim, valueDim, scale, 0.0f, nullptr, headTiles, groupTile};                                                                              \
    Result result = {y, nullptr, nullptr, nullptr, 1};                                                                                                                          \
    flash<NV, WM, WK, N, PieceBF16>(result, q, keys, values, keyDim, valueWidth, cross, shape, tileRows, slices, stages, true, true);                                           \
  }                                                                                                                                                                             \
  REGISTER(name)
