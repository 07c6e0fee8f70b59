// Products of few rows with weights in Q5_K. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q5_k, Q5_K)
