// Products of few rows with weights in IQ4_NL. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(iq4_nl, IQ4_NL)
