// Attention of many rows over a cache of Q8_0, values of up to 256, and heads that are wider; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_q8_0_64x256, PieceQ8, 256, 4, 1, 32, 2)
FLASH(flash_q8_0_32x256, PieceQ8, 256, 2, 2, 32, 2)
