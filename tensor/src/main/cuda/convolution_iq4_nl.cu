// Convolutions with weights in IQ4_NL. A file for each format: a program compiles for its GPU only those that its model has.
#include "convolution.cuh"

CONVOLUTION(iq4_nl, IQ4_NL)
