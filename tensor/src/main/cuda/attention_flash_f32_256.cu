// Attention of many rows over a cache of F32, values of up to 256, and heads that are wider; see attention_flash.cuh.
#include "attention_paged.cuh"

FLASH(flash_f32_64x256, PieceF32, 256, 4, 1, 32, 2)
FLASH(flash_f32_32x256, PieceF32, 256, 2, 2, 32, 2)
