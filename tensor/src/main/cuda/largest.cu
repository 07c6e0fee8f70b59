// The k largest of each row, in order. Must equal the method largest of ReferenceKernels.
//
// Each element is a key of 64 bits that orders it: the float as an unsigned number, then the lower index; no two are equal, and 0 is none. A block of 512 threads takes a slice of a row,
// each · 512 elements, thread t those at t, t + 512, ...; grid: rows · slices. A thread finds the largest of its own; the k threads with the largest of these hold all of the slice's k
// largest, so that of each · 512 elements only each · k are sorted. What the slices leave goes through the kernel again until a row is one slice. Nothing depends on the order of blocks.
// Shared memory: 512 keys, then room (a power of two, at least each · k) keys. Up to 132 blocks twice over: 152,064 logits, k = 64: 75 blocks of 4 elements a thread, then one.
#include "port.cuh"

#define THREADS 512

// NaN comes before all others; both zeros are one.
DEVICE u64 key_of(float value, int index) {
  u32 bits = f32_to_bits(value + 0.0f), order = value != value ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
  return (u64)order << 32 | (u32)~(u32)index;
}

DEVICE float value_of(u64 key) {
  u32 order = (u32)(key >> 32);
  return bits_to_f32(order >> 31 ? order & 0x7fffffffu : ~order);
}

DEVICE int index_of(u64 key) { return (int)~(u32)key; }

// Descending, n a power of two (Batcher 1968, bitonic sort). Pairs up to 32 apart belong to one warp, 64 keys each.
DEVICE void sort_descending(u64 *keys, int n) {
  __syncthreads();
  for (int size = 2; size <= n; size <<= 1) {
    for (int stride = size >> 1; stride > 0; stride >>= 1) {
      if (stride >= 32) __syncthreads(); else __syncwarp();
      for (int i = threadIdx.x; i < n / 2; i += THREADS) {
        int low = 2 * i - (i & (stride - 1)), high = low + stride;
        u64 a = keys[low], b = keys[high];
        if ((a < b) == ((low & size) == 0)) {
          keys[low] = b;
          keys[high] = a;
        }
      }
    }
  }
  __syncthreads();
}

// Of rows of count elements, either x or, where it is null, keys of earlier slices. slices == 1: to y, k values and k indices a row; otherwise to made, k keys a slice.
KERNEL largest(float *__restrict__ y, u64 *__restrict__ made, const float *__restrict__ x, const u64 *__restrict__ keys, int count, int k, int each, int slices, int room) {
  DYNAMIC_SHARED(u64, heads);
  u64 *found = heads + THREADS;
  i64 row = blockIdx.x / slices;
  int slice = blockIdx.x % slices, first = slice * THREADS * each + threadIdx.x;
  auto key = [&](int e) {
    int at = first + e * THREADS;
    return at >= count ? (u64)0 : x ? key_of(x[row * count + at], at) : keys[row * count + at];
  };
  u64 own = 0;
  for (int e = 0; e < each; e++) {
    u64 next = key(e);
    own = next > own ? next : own;
  }
  heads[threadIdx.x] = own;
  for (int i = threadIdx.x; i < room; i += THREADS) found[i] = 0;
  sort_descending(heads, THREADS);
  if (own != 0 && own >= heads[k - 1]) {
    int rank = 0;                                                                   // how many are larger: found by halving, for all are different
    for (int half = THREADS / 2; half > 0; half >>= 1) if (heads[rank + half - 1] > own) rank += half;
    for (int e = 0; e < each; e++) found[rank * each + e] = key(e);
  }
  sort_descending(found, room);
  for (int j = threadIdx.x; j < k; j += THREADS) {
    if (slices > 1) {
      made[((i64)row * slices + slice) * k + j] = found[j];
    } else {
      y[row * 2 * k + j] = value_of(found[j]);
      y[row * 2 * k + k + j] = (float)index_of(found[j]);
    }
  }
}
REGISTER(largest)
