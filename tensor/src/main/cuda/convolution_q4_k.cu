// Convolutions with weights in Q4_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q4_k, Q4_K)
