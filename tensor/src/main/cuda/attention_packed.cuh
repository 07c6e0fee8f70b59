// The kernels of a packed batch, included by attention_flash_packed_WIDTH.cu, so that a program compiles those of its head dims only. Must equal ReferenceKernels.attention; for grids, blocks and
// shared memory see attention_flash.cuh.
#pragma once
#include "attention_flash.cuh"

// keys [n, kvHeads, keyDim], values [n, kvHeads, valueWidth]: as attention_round leaves them.
#define FLASH_PACKED(name, NV, WM, WK, N, blocks)                                                                                                                               \
  KERNEL __launch_bounds__(32 * WM * WK, blocks) name(                                                                                                                          \
              float *y, const float *q, const u8 *keys, const u8 *values, const int *starts, const float *sinks, int n, int heads, int kvHeads, int headDim, int valueDim,      \
              int keyDim, int valueWidth, float scale, int window, float softCap, int causal, int headTiles, int groupTile, int tileRows, int slices, int stages) {             \
    Packed packed = {starts, n, window, causal != 0};                                                                                                                           \
    Heads shape = {heads, kvHeads, headDim, valueDim, scale, softCap, sinks, headTiles, groupTile};                                                                             \
    Result result = {y, nullptr, nullptr, nullptr, 1};                                                                                                                          \
    flash<NV, WM, WK, N, PieceBF16>(result, q, keys, values, keyDim, valueWidth, packed, shape, tileRows, slices, stages, true, true);                                          \
  }                                                                                                                                                                             \
  REGISTER(name)
