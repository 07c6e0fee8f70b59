// Attention in a packed batch, values of up to 128; see attention_packed.cuh.
#include "attention_packed.cuh"

FLASH_PACKED(flash_packed_64x128, 128, 4, 1, 64, 2)
FLASH_PACKED(flash_packed_128x128, 128, 8, 1, 64, 1)
