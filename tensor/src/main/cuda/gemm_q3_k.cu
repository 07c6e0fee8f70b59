// The products of weights in Q3_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "gemm.cuh"

GEMM(q3_k, Q3_K)
