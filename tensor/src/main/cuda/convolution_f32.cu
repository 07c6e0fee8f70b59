// Convolutions with weights in F32. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(f32, F32)
