// The products of weights in Q6_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "gemm.cuh"

GEMM(q6_k, Q6_K)
