// Products of few rows with weights in Q4_1. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q4_1, Q4_1)
