// Attention of many rows over a cache of Q8_0, values of up to 64; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_q8_0_64x64, PieceQ8, 64, 4, 1, 64, 3)
