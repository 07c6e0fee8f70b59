// Products of few rows with weights in Q3_K. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q3_k, Q3_K)
