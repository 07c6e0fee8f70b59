// Attention to another sequence, values of up to 64; see attention_cross.cuh.
#include "attention_cross.cuh"

FLASH_CROSS(flash_cross_64x64, 64, 4, 1, 64, 3)
FLASH_CROSS(flash_cross_128x64, 64, 8, 1, 64, 1)
