// Attention of few rows over a cache of F16; see attention_decode.cuh.
#include "attention_paged.cuh"

DECODE(decode_f16_1, PieceF16, 1, 4, 4)
DECODE(decode_f16_2, PieceF16, 2, 4, 4)
DECODE(decode_f16_4, PieceF16, 4, 4, 4)
DECODE(decode_f16_8, PieceF16, 8, 2, 3)
