// Products of few rows with weights in MXFP4. See gemv.cuh.
#include "gemv.cuh"

MULTIPLY_ALL(mxfp4, MXFP4)
