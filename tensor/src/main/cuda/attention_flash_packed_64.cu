// Attention in a packed batch, values of up to 64; see attention_packed.cuh.
#include "attention_packed.cuh"

FLASH_PACKED(flash_packed_64x64, 64, 4, 1, 64, 3)
FLASH_PACKED(flash_packed_128x64, 64, 8, 1, 64, 1)
