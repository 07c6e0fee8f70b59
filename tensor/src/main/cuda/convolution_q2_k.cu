// Convolutions with weights in Q2_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q2_k, Q2_K)
