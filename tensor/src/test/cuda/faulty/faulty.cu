// Kernels with one fault each, which the stand-in must find (HarnessTest). Grid: one block of 64 threads, unless stated.
#include "port.cuh"

// Reads what its neighbour wrote, without waiting for it.
KERNEL missing_barrier(float *y) {
  __shared__ float values[64];
  values[threadIdx.x] = (float)threadIdx.x;
  y[threadIdx.x] = values[63 - threadIdx.x];
}
REGISTER(missing_barrier)

// The same within a warp: that its lanes run in step is not promised since Volta.
KERNEL missing_warp_barrier(float *y) {
  __shared__ float values[64];
  values[threadIdx.x] = 0.0f;
  __syncthreads();
  values[threadIdx.x] = 1.0f + (float)threadIdx.x;
  y[threadIdx.x] = values[threadIdx.x ^ 1];
}
REGISTER(missing_warp_barrier)

// Half of the block waits at one barrier, half at another.
KERNEL divergent_barrier(float *y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1.0f;
}
REGISTER(divergent_barrier)

// Some threads have ended when others wait for them.
KERNEL barrier_after_end(float *y) {
  if (threadIdx.x < 5) return;
  __syncthreads();
  y[threadIdx.x] = 1.0f;
}
REGISTER(barrier_after_end)

// Half of a warp exchanges values, the other half waits for the block.
KERNEL divergent_warp(float *y) {
  if ((threadIdx.x & 31) < 16) y[threadIdx.x] = shuffle_xor((float)threadIdx.x, 1);
  else __syncthreads();
}
REGISTER(divergent_warp)

// y[0] is at 2 bytes past a multiple of 4.
KERNEL unaligned_load(int *y, const u8 *x) { y[threadIdx.x] = *(const int *)(x + 34 * threadIdx.x + 2); }
REGISTER(unaligned_load)

KERNEL index_out_of_bounds(int *y, int count) {
  int values[4] = {};
  for (int i = 0; i < count; i++) values[i] = i;
  y[threadIdx.x] = values[threadIdx.x & 3];
}
REGISTER(index_out_of_bounds)

KERNEL shift_too_far(u32 *y, int by) { y[threadIdx.x] = 1u << by; }
REGISTER(shift_too_far)

// y holds count numbers; thread i writes number i, and there are more threads.
KERNEL write_overrun(float *y) { y[threadIdx.x] = 1.0f; }
REGISTER(write_overrun)

KERNEL read_overrun(float *y, const float *x, i64 at) {
  if (threadIdx.x == 3) y[0] = x[at];
}
REGISTER(read_overrun)

// Dynamic shared memory for 64 floats.
KERNEL shared_overrun(float *y, int at) {
  DYNAMIC_SHARED(float, values);
  values[at + threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x];
}
REGISTER(shared_overrun)

// Takes what copies bring before they are waited for. 16 threads.
KERNEL missing_wait(float *y, const float *x) {
  __shared__ __align__(16) float values[64];
  copy_async(&values[4 * threadIdx.x], x + 4 * threadIdx.x, 16);
  copy_async_commit();
  __syncthreads();
  for (int i = 0; i < 4; i++) y[4 * threadIdx.x + i] = values[4 * threadIdx.x + i];
  copy_async_wait<0>();
}
REGISTER(missing_wait)

KERNEL unaligned_copy(const float *x) {
  __shared__ __align__(16) float values[68];
  copy_async(&values[1], x, 16);
  copy_async_commit();
  copy_async_wait<0>();
}
REGISTER(unaligned_copy)

KERNEL uninitialised_shared(float *y) {
  __shared__ float values[64];
  if (threadIdx.x != 7) values[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x];
}
REGISTER(uninitialised_shared)

KERNEL deep_stack(float *y, int depth) {
  volatile float values[4096];
  values[depth] = 1.0f;
  for (int i = 0; i < 4096; i++) values[i] = (float)i;
  float sum = 0.0f;
  volatile float more[16384];
  for (int i = 0; i < 16384; i++) more[i] = (float)i;
  for (int i = 0; i < 4096; i++) sum += values[i] + more[i];
  y[threadIdx.x] = sum;
}
REGISTER(deep_stack)

// Nothing is wrong with this one: y[i] += 1.
KERNEL increment(float *y) { y[threadIdx.x] += 1.0f; }
REGISTER(increment)
