// Convolutions with weights in MXFP4. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(mxfp4, MXFP4)
