// Products of few rows with weights in Q4_0. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q4_0, Q4_0)
