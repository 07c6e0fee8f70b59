// Convolutions with weights in Q6_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q6_k, Q6_K)
