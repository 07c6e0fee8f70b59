// Products of few rows with weights in Q5_1. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(q5_1, Q5_1)
