// Attention of many rows over a cache of F16, values of up to 128 (tiles of 16: single rows with many heads on a key head); see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_f16_64x128, PieceF16, 128, 4, 1, 64, 2)
FLASH(flash_f16_128x128, PieceF16, 128, 8, 1, 64, 1)
FLASH(flash_f16_16x128, PieceF16, 128, 1, 4, 64, 3)
