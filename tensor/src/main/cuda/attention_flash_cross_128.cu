// Attention to another sequence, values of up to 128; see attention_cross.cuh.
#include "attention_cross.cuh"

FLASH_CROSS(flash_cross_64x128, 128, 4, 1, 64, 2)
FLASH_CROSS(flash_cross_128x128, 128, 8, 1, 64, 1)
