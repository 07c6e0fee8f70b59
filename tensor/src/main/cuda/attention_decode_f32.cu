// Attention of few rows over a cache of F32; see attention_decode.cuh.
#include "attention_paged.cuh"

DECODE(decode_f32_1, PieceF32, 1, 4, 4)
DECODE(decode_f32_2, PieceF32, 2, 4, 4)
DECODE(decode_f32_4, PieceF32, 4, 4, 3)
DECODE(decode_f32_8, PieceF32, 8, 2, 3)
