// The one header of every kernel: what CUDA has and a host compiler lacks, under one name for both. nvcc compiles a .cu file to PTX; g++ compiles the same file for the tests,
// with emu.h in the place of the hardware. No CUDA header is included, so that both see the same code.
#pragma once

#if defined(__CUDACC__)
  #define EMULATED 0
  #define DEVICE __device__ __forceinline__
  #define KERNEL extern "C" __global__ void
  #define REGISTER(name)
  // Dynamic shared memory, whose size the launch gives.
  extern __shared__ __align__(16) unsigned char dynamic_shared_[];
  #define DYNAMIC_SHARED(T, name) T *name = (T *)dynamic_shared_
  #ifndef INFINITY
  #define INFINITY __int_as_float(0x7f800000)
  #endif
typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

// ---- numbers ------------------------------------------------------------------------------------------------------------------------------------------

DEVICE float f16_to_f32(u16 half) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(half)); return f; }
DEVICE u16 f32_to_f16(float f) { u16 half; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(f)); return half; }
DEVICE float bits_to_f32(u32 bits) { return __uint_as_float(bits); }
DEVICE u32 f32_to_bits(float f) { return __float_as_uint(f); }
// c + the products of four signed bytes each.
DEVICE int dp4a(int a, int b, int c) { return __dp4a(a, b, c); }
// a · b rounded, never part of a fused multiply-add: where two products must be equal.
DEVICE float multiply(float a, float b) { return __fmul_rn(a, b); }
// Two bfloat16, each to the nearest, ties to even; the first in the low half.
DEVICE u32 pack_bf16(float low, float high) { u32 pair; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low)); return pair; }
// The high and low halves of a product of 32 bits.
DEVICE u32 multiply_high(u32 a, u32 b) { return __umulhi(a, b); }
// Four of the eight bytes of a (0 to 3) and b (4 to 7): byte i is the one that bits 4 i to 4 i + 2 of choice name. Bits 4 i + 3 are 0.
DEVICE u32 byte_permute(u32 a, u32 b, u32 choice) { return __byte_perm(a, b, choice); }
// The low half of 64 bits shifted right by up to 31.
DEVICE u32 shift_pair(u32 low, u32 high, int by) { return __funnelshift_r(low, high, by); }
// The value itself, of which the compiler knows nothing: what is made from it inside a loop is made there, and keeps no register from one round to the next.
DEVICE int opaque(int value) { asm volatile("" : "+r"(value)); return value; }
// How many bits are set.
DEVICE int count_bits(u32 bits) { return __popc(bits); }
// 2^x to 22 bits, 0 below 2^-126: one instruction where exp2f has four.
DEVICE float fast_exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
// 1 / x but for the last bit: one instruction where a division has eight.
DEVICE float fast_reciprocal(float x) { float y; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
// Two halves, the first in the low 16 bits.
DEVICE u32 pack_f16(float low, float high) { u32 pair; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low)); return pair; }
// How many of the lowest bits are ones before the first zero.
DEVICE int trailing_ones(u32 bits) { return __clz(__brev(~bits)); }

// ---- the threads of a warp ----------------------------------------------------------------------------------------------------------------------------

template <class T> DEVICE T shuffle_xor(T value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
template <class T> DEVICE T shuffle_down(T value, int by) { return __shfl_down_sync(0xffffffffu, value, by); }
template <class T> DEVICE T shuffle(T value, int lane) { return __shfl_sync(0xffffffffu, value, lane); }
DEVICE u32 warp_ballot(bool vote) { return __ballot_sync(0xffffffffu, vote); }
// All values of a warp combined, for each of its lanes: with those of lanes 16 apart, then 8, 4, 2 and 1.
template <class T, class F> DEVICE T butterfly(T value, F combine) {
  for (int mask = 16; mask > 0; mask >>= 1) value = combine(value, shuffle_xor(value, mask));
  return value;
}

// ---- shared memory and tensor cores -------------------------------------------------------------------------------------------------------------------

DEVICE u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }
// 16 bytes from global to shared memory, both aligned to 16, without waiting; only the first count bytes are read, the rest becomes zeros.
DEVICE void copy_async(void *shared, const void *global, int count) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(shared)), "l"(global), "r"(count) : "memory");
}
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most N groups of this thread's copies are under way.
template <int N> DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }
// Four matrices of 8 x 8 halves: lane l gives the address of row l % 8 of matrix l / 8 (aligned to 16) and gets elements 2 (l % 4), 2 (l % 4) + 1 of row l / 4 of each.
DEVICE void load_matrices(u32 r[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
// The same, each matrix transposed.
DEVICE void load_matrices_transposed(u32 r[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
// d += a b on a warp's tensor core: a 16 x 16 by rows, b 16 x 8 by columns, bfloat16; d 16 x 8. Of lane l: d[i] is row l / 4 + 8 (i / 2), column 2 (l % 4) + i % 2.
DEVICE void multiply_bf16(float d[4], const u32 a[4], const u32 b[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// The same of halves.
DEVICE void multiply_f16(float d[4], const u32 a[4], const u32 b[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#else
  #define EMULATED 1
  #include "emu.h"
#endif

DEVICE float bf16_to_f32(u16 half) { return bits_to_f32((u32)half << 16); }
// To the nearest, ties to even; NaN stays NaN.
DEVICE u16 f32_to_bf16(float f) {
  u32 bits = f32_to_bits(f);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (u16)((bits >> 16) | 64);
  return (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
#if EMULATED
DEVICE u32 pack_bf16(float low, float high) { return (u32)f32_to_bf16(low) | (u32)f32_to_bf16(high) << 16; }
DEVICE u32 pack_f16(float low, float high) { return (u32)f32_to_f16(low) | (u32)f32_to_f16(high) << 16; }
#endif

// ---- sums over a warp and over a block ------------------------------------------------------------------------------------------------------------------

DEVICE float warp_sum(float v) { return butterfly(v, [](float a, float b) { return a + b; }); }
DEVICE float warp_max(float v) { return butterfly(v, [](float a, float b) { return fmaxf(a, b); }); }

// The sum over all threads of a block, for each of them, in an order that the block's size alone decides. parts: shared memory for 32 floats; every thread of the block calls it.
DEVICE float block_sum(float v, float *parts) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
  v = warp_sum(v);
  __syncthreads();                                                                  // whoever still reads parts of an earlier call
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  return warp_sum(lane < warps ? parts[lane] : 0.0f);
}

DEVICE float block_max(float v, float *parts) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  return warp_max(lane < warps ? parts[lane] : -INFINITY);
}
