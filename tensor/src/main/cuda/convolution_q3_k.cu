// Convolutions with weights in Q3_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q3_k, Q3_K)
