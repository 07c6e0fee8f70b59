// Products of few rows with weights in Q6_K. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q6_k, Q6_K)
