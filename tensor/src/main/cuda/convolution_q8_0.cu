// Convolutions with weights in Q8_0. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q8_0, Q8_0)
