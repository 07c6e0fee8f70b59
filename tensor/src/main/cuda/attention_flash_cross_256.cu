// Attention to another sequence, values of up to 256, and heads that are wider; see attention_cross.cuh.
#include "attention_cross.cuh"

FLASH_CROSS(flash_cross_64x256, 256, 4, 1, 32, 2)
FLASH_CROSS(flash_cross_32x256, 256, 2, 2, 32, 2)
