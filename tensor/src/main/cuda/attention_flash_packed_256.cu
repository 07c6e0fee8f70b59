// Attention in a packed batch, values of up to 256, and heads that are wider; see attention_packed.cuh.
#include "attention_packed.cuh"

FLASH_PACKED(flash_packed_64x256, 256, 4, 1, 32, 2)
FLASH_PACKED(flash_packed_32x256, 256, 2, 2, 32, 2)
