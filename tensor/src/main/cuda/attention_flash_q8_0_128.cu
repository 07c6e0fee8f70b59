// Attention of many rows over a cache of Q8_0, values of up to 128; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_q8_0_64x128, PieceQ8, 128, 4, 1, 64, 2)
