// Convolutions with weights in F16. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(f16, F16)
