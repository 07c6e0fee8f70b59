// Attention of few rows over a cache of Q8_0; see attention_decode.cuh.
#include "attention_paged.cuh"

DECODE(decode_q8_0_1, PieceQ8, 1, 4, 4)
DECODE(decode_q8_0_2, PieceQ8, 2, 4, 4)
DECODE(decode_q8_0_4, PieceQ8, 4, 4, 4)
DECODE(decode_q8_0_8, PieceQ8, 8, 2, 3)
