// Convolutions with weights in BF16. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(bf16, BF16)
