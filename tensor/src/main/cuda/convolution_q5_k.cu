// Convolutions with weights in Q5_K. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q5_k, Q5_K)
