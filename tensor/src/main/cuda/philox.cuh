// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), to the bit that of class Philox.
#pragma once
#include "port.cuh"

// The four random words of a counter and key.
DEVICE void philox(u32 words[4], u64 counter, u64 key) {
  u32 c0 = (u32)counter, c1 = (u32)(counter >> 32), c2 = 0, c3 = 0, k0 = (u32)key, k1 = (u32)(key >> 32);
  #pragma unroll
  for (int round = 0; round < 10; round++) {
    u32 low0 = 0xD2511F53u * c0, high0 = multiply_high(0xD2511F53u, c0), low1 = 0xCD9E8D57u * c2, high1 = multiply_high(0xCD9E8D57u, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words[0] = c0; words[1] = c1; words[2] = c2; words[3] = c3;
}

// A word as a number in [0, 1) in steps of 2^-24. Number i of a key is word i % 4 of counter i / 4.
DEVICE float uniform(u32 word) { return (float)(word >> 8) * 5.9604644775390625e-8f; }
