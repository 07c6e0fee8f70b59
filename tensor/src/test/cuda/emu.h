// What port.cuh names of CUDA, for g++: the kernels' own sources run on the CPU, and mistakes that a GPU would keep to itself are found. The threads of a block are fibers
// (emu.cpp); those of a warp meet wherever they exchange values, and the last to come does the work for all. Where a thread waits is told in faults, by file and line.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

typedef uint8_t u8;
typedef int8_t i8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define __align__(n) __attribute__((aligned(n)))
struct __align__(8) uint2 { u32 x, y; };
struct __align__(16) uint4 { u32 x, y, z, w; };
struct __align__(8) float2 { float x, y; };
struct __align__(16) float4 { float x, y, z, w; };
struct dim3 { unsigned x, y, z; };

// The place in the source that calls, as two more parameters.
#define PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace emu {

// ---- what a thread knows of itself --------------------------------------------------------------------------------------------------------------------

struct Block {
  dim3 index, size, grid;
  u8 *shared;                                                                         // dynamic shared memory
};

// The desk where the threads of a warp meet: each posts, by lane, what it brings, and takes what the last to come made of it.
struct Warp {
  u32 lanes, ended, arrived;                                                          // a bit for each lane: there at all, done with the kernel, waiting here
  const char *file;                                                                   // where those who wait are
  int line;
  u64 posted[32], taken[32];
  u8 from[32];
  const u32 *a[32], *b[32];
  float *d[32];
  u32 words[32][4];
};

struct Thread {
  dim3 index;
  int lane;
  Warp *warp;
  const Block *block;
};

// The thread that runs now, from where its stack is: stacks lie side by side, in order, from a multiple of all their sizes on, where the table of the threads is told. A variable of
// the thread of the system would be a call each time.
enum : u64 { STACK = 64 << 10, MOST_THREADS = 1024 };
static inline Thread *self() {
  u64 here;
  asm("mov %%rsp, %0" : "=r"(here));
  return *(Thread **)(here & -(STACK * MOST_THREADS)) + here / STACK % MOST_THREADS;
}

// Waits for all threads of the block; 1 for all where vote is not 0 for any.
int block_barrier(int vote, const char *file, int line);
// Waits for all lanes of the warp; true for the last to come, false for the others once they were released.
bool last_of_warp(const char *file, int line);
void release_warp();

template <class Work> inline void meet(const char *file, int line, Work work) {
  if (!last_of_warp(file, line)) return;
  work(*self()->warp);
  release_warp();
}

void copy_async(void *shared, const void *global, int count);
void copy_async_commit();
void copy_async_wait(int groups);
void load_matrices(Warp &warp, bool transposed);
void multiply_bf16(Warp &warp);
void multiply_f16(Warp &warp);

// ---- kernels by name ------------------------------------------------------------------------------------------------------------------------------------

// Calls a kernel with the arguments that cuLaunchKernel gets: the address of each.
typedef void (*Call)(void **arguments);

struct Registration { Registration(const char *name, Call call, int parameters, const size_t *sizes); };

template <class F, F kernel> struct Signature;
template <class... A, void (*kernel)(A...)> struct Signature<void (*)(A...), kernel> {
  static constexpr size_t sizes[] = {sizeof(A)..., 0};
  template <size_t... I> static void spread(void **arguments, std::index_sequence<I...>) { kernel(*(A *)arguments[I]...); }
  static void call(void **arguments) { spread(arguments, std::index_sequence_for<A...>{}); }
};

}

#define KERNEL extern "C" void
#define REGISTER(name) \
  static emu::Registration registration_of_##name(#name, emu::Signature<decltype(&name), &name>::call, sizeof emu::Signature<decltype(&name), &name>::sizes / sizeof(size_t) - 1, \
    emu::Signature<decltype(&name), &name>::sizes);
#define DEVICE static inline
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define threadIdx (emu::self()->index)
#define blockIdx (emu::self()->block->index)
#define blockDim (emu::self()->block->size)
#define gridDim (emu::self()->block->grid)

// ---- shared memory --------------------------------------------------------------------------------------------------------------------------------------

// Blocks run one after the other on a thread of the system, so what is the thread's is the block's. Filled with NaN before each block.
#define __shared__ static __thread
// Ends where reading and writing are forbidden.
#define DYNAMIC_SHARED(T, name) T *name = (T *)emu::self()->block->shared

static inline void __syncthreads(PLACE) { emu::block_barrier(0, file, line); }
static inline int __syncthreads_or(int vote, PLACE) { return emu::block_barrier(vote != 0, file, line); }
static inline void __syncwarp(PLACE) { emu::meet(file, line, [](emu::Warp &) {}); }

// Copies are held back until they are waited for, so that a missing wait shows as wrong numbers.
static inline void copy_async(void *shared, const void *global, int count) { emu::copy_async(shared, global, count); }
static inline void copy_async_commit() { emu::copy_async_commit(); }
template <int N> static inline void copy_async_wait() { emu::copy_async_wait(N); }

// ---- numbers ----------------------------------------------------------------------------------------------------------------------------------------------

#ifndef INFINITY
#define INFINITY __builtin_inff()
#endif

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

template <class To, class From> static inline To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits need the same size");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

static inline float bits_to_f32(u32 bits) { return same_bits<float>(bits); }
static inline u32 f32_to_bits(float f) { return same_bits<u32>(f); }
static inline float f16_to_f32(u16 half) { return same_bits<_Float16>(half); }
static inline u16 f32_to_f16(float f) { return same_bits<u16>((_Float16)f); }
static inline u32 multiply_high(u32 a, u32 b) { return (u32)((u64)a * b >> 32); }
static inline float multiply(float a, float b) { return a * b; }
static inline float fast_exp2(float x) { return exp2f(x); }
static inline int opaque(int value) { return value; }
static inline float fast_reciprocal(float x) { return 1.0f / x; }
static inline int count_bits(u32 bits) { return __builtin_popcount(bits); }
static inline int trailing_ones(u32 bits) { return ~bits == 0 ? 32 : __builtin_ctz(~bits); }
static inline u32 shift_pair(u32 low, u32 high, int by) { return (u32)(((u64)high << 32 | low) >> by); }

static inline u32 byte_permute(u32 a, u32 b, u32 choice) {
  u64 bytes = (u64)b << 32 | a;
  u32 permuted = 0;
  for (int i = 0; i < 4; i++) permuted |= (u32)(u8)(bytes >> 8 * (choice >> 4 * i & 7)) << 8 * i;
  return permuted;
}

static inline int dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; i++) c += (i8)(a >> (8 * i)) * (i8)(b >> (8 * i));
  return c;
}

// Of integers only: sums of floats would depend on who comes first.
static inline int atomicAdd(int *at, int value) { return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST); }

// ---- the threads of a warp ------------------------------------------------------------------------------------------------------------------------------

template <class T> static inline T shuffle(T value, int lane, PLACE) {
  static_assert(sizeof(T) <= 8, "lanes exchange up to 8 bytes");
  emu::Warp &warp = *emu::self()->warp;
  int me = emu::self()->lane;
  memcpy(&warp.posted[me], &value, sizeof value);
  warp.from[me] = lane & 31;
  emu::meet(file, line, [](emu::Warp &w) {
    for (int i = 0; i < 32; i++) w.taken[i] = w.posted[w.from[i]];
  });
  memcpy(&value, &warp.taken[me], sizeof value);
  return value;
}

template <class T> static inline T shuffle_xor(T value, int mask, PLACE) { return shuffle(value, emu::self()->lane ^ mask, file, line); }

// The last lanes, which have nobody to take from, keep what they have.
template <class T> static inline T shuffle_down(T value, int by, PLACE) {
  int lane = emu::self()->lane;
  return shuffle(value, lane + by > 31 ? lane : lane + by, file, line);
}

static inline u32 warp_ballot(bool vote, PLACE) {
  emu::Warp &warp = *emu::self()->warp;
  int me = emu::self()->lane;
  warp.posted[me] = vote;
  emu::meet(file, line, [](emu::Warp &w) {
    u32 votes = 0;
    for (int i = 0; i < 32; i++) if (w.lanes >> i & 1) votes |= (u32)(w.posted[i] & 1) << i;
    for (int i = 0; i < 32; i++) w.taken[i] = votes;
  });
  return (u32)warp.taken[me];
}

// What shuffle_xor by 16, 8, 4, 2 and 1 makes with combine, at one meeting for all five.
template <class T, class F> static inline T butterfly(T value, F combine, PLACE) {
  emu::Warp &warp = *emu::self()->warp;
  int me = emu::self()->lane;
  memcpy(&warp.posted[me], &value, sizeof value);
  emu::meet(file, line, [&combine](emu::Warp &w) {
    T values[32], next[32];
    for (int i = 0; i < 32; i++) memcpy(&values[i], &w.posted[i], sizeof(T));
    for (int mask = 16; mask > 0; mask >>= 1) {
      for (int i = 0; i < 32; i++) next[i] = combine(values[i], values[i ^ mask]);
      memcpy(values, next, sizeof values);
    }
    for (int i = 0; i < 32; i++) memcpy(&w.taken[i], &values[i], sizeof(T));
  });
  memcpy(&value, &warp.taken[me], sizeof value);
  return value;
}

// ---- tensor cores ---------------------------------------------------------------------------------------------------------------------------------------

static inline void load_matrices_as(u32 r[4], const void *row, bool transposed, const char *file, int line) {
  emu::Warp &warp = *emu::self()->warp;
  int me = emu::self()->lane;
  warp.posted[me] = (u64)row;
  emu::meet(file, line, [transposed](emu::Warp &w) { emu::load_matrices(w, transposed); });
  memcpy(r, warp.words[me], 16);
}

static inline void load_matrices(u32 r[4], const void *row, PLACE) { load_matrices_as(r, row, false, file, line); }
static inline void load_matrices_transposed(u32 r[4], const void *row, PLACE) { load_matrices_as(r, row, true, file, line); }

static inline void multiply_as(float d[4], const u32 a[4], const u32 b[2], void (*work)(emu::Warp &), const char *file, int line) {
  emu::Warp &warp = *emu::self()->warp;
  int me = emu::self()->lane;
  warp.a[me] = a;
  warp.b[me] = b;
  warp.d[me] = d;
  emu::meet(file, line, work);
}

static inline void multiply_bf16(float d[4], const u32 a[4], const u32 b[2], PLACE) { multiply_as(d, a, b, emu::multiply_bf16, file, line); }
static inline void multiply_f16(float d[4], const u32 a[4], const u32 b[2], PLACE) { multiply_as(d, a, b, emu::multiply_f16, file, line); }
