// Convolutions with weights in Q5_1. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(q5_1, Q5_1)
