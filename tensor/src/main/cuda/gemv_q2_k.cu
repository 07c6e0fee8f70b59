// Products of few rows with weights in Q2_K. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q2_k, Q2_K)
