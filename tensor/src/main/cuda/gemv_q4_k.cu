// Products of few rows with weights in Q4_K. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q4_k, Q4_K)
