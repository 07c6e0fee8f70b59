// Attention of many rows over a cache of F32, values of up to 128; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_f32_64x128, PieceF32, 128, 4, 1, 64, 2)
