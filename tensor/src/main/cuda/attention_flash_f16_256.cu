// Attention of many rows over a cache of F16, values of up to 256, and heads that are wider; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_f16_64x256, PieceF16, 256, 4, 1, 32, 2)
FLASH(flash_f16_32x256, PieceF16, 256, 2, 2, 32, 2)
