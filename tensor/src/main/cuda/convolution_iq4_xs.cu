// Convolutions with weights in IQ4_XS. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(iq4_xs, IQ4_XS)
