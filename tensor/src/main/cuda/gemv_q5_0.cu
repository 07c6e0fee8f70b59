// Products of few rows with weights in Q5_0. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q5_0, Q5_0)
