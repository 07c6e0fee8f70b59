// The kernels of a paged cache, included by attention_decode_FORMAT.cu and attention_flash_FORMAT_WIDTH.cu, so that a program compiles those of its cache and head dims only.
// Must equal ReferenceKernels.pagedAttention. For grids, blocks and shared memory see attention_decode.cuh (few rows of a sequence) and attention_flash.cuh (many).
#pragma once
#include "attention_decode.cuh"
#include "attention_flash.cuh"

#define PAGED_ARGUMENTS                                                                                                                                                         \
  float *y, const float *q, const u8 *keys, const u8 *values, const int *positions, const int *sequences, const int *pageTable, const float *sinks, float *mixes, float *states,\
  int *targets, int splits, int n, int heads, int kvHeads, int headDim, int valueDim, float scale, int window, float softCap, int pageSize, int shift, int maxPages,            \
  int manyRows, int headTiles, int groupTile, int alignedKeys, int alignedValues

#define PAGED_STRUCTS                                                                                                                                                           \
  Paged paged = {positions, sequences, pageTable, n, pageSize, shift, maxPages, window, manyRows};                                                                              \
  Heads shape = {heads, kvHeads, headDim, valueDim, scale, softCap, sinks, headTiles, groupTile};

// HG heads, U keys at once; `blocks` of a multiprocessor at a time, which bounds the registers so that enough loads are under way.
#define DECODE(name, Piece, HG, U, blocks)                                                                                                                                      \
  KERNEL __launch_bounds__(128, blocks) name(PAGED_ARGUMENTS, int lanes) {                                                                                                      \
    PAGED_STRUCTS                                                                                                                                                               \
    decode<Piece, HG, U>(y, q, keys, values, paged, shape, mixes, states, targets, splits, lanes, alignedKeys != 0, alignedValues != 0);                                        \
  }                                                                                                                                                                             \
  REGISTER(name)

#define FLASH(name, Piece, NV, WM, WK, N, blocks)                                                                                                                               \
  KERNEL __launch_bounds__(32 * WM * WK, blocks) name(PAGED_ARGUMENTS, int tileRows, int slices, int stages) {                                                                  \
    PAGED_STRUCTS                                                                                                                                                               \
    Result result = {y, mixes, states, targets, splits};                                                                                                                        \
    flash<NV, WM, WK, N, Piece>(result, q, keys, values, headDim, valueDim, paged, shape, tileRows, slices, stages, alignedKeys != 0, alignedValues != 0);                      \
  }                                                                                                                                                                             \
  REGISTER(name)
