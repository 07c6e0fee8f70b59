// The products of weights in F32. A file for each format: a program compiles for its GPU only those that its model has.
#include "gemm.cuh"

GEMM(f32, F32)
