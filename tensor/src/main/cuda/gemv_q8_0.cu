// Products of few rows with weights in Q8_0. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q8_0, Q8_0)
