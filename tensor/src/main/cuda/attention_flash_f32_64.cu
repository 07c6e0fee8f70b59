// Attention of many rows over a cache of F32, values of up to 64; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_f32_64x64, PieceF32, 64, 4, 1, 64, 3)
