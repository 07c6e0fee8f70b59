// Products of few rows with weights in IQ4_XS. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(iq4_xs, IQ4_XS)
