// The products of weights in IQ4_NL. A file for each format: a program compiles for its GPU only those that its model has.
#include "gemm.cuh"

GEMM(iq4_nl, IQ4_NL)
