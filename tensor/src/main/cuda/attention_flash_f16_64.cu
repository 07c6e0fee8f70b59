// Attention of many rows over a cache of F16, values of up to 64; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_f16_64x64, PieceF16, 64, 4, 1, 64, 3)
FLASH(flash_f16_128x64, PieceF16, 64, 8, 1, 64, 1)
