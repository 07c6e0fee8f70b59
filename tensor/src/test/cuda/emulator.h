// What the parts of the stand-in know of each other; kernels see emu.h only.
#pragma once
#include "emu.h"
#include <string>

namespace emu {

// ---- what tests may set -----------------------------------------------------------------------------------------------------------------------------------

struct Settings {
  long long order = 0;                                                                // of threads: 0 forward, 1 backward, others shuffled by that number
  long long threads = 0;                                                              // of the system that run blocks; 0: as many as there are processors
  long long memory = 4ll << 30;                                                       // bytes of the device
  long long devices = 1;
  long long version = 13000;                                                          // of CUDA that the driver speaks
  long long capability = 90;                                                          // 10 major + minor
  long long multiprocessors = 4;
  long long quiet = 0;                                                                // faults are kept for the test that asks, not printed
};
extern Settings settings;

// ---- faults: faults.cpp -----------------------------------------------------------------------------------------------------------------------------------

// Keeps the first report until it is cleared, and prints it.
void report(const std::string &text);
// For a thread of a kernel: reports what it did and ends the block, never to return.
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void catch_signals();

// ---- kernels: emu.cpp -------------------------------------------------------------------------------------------------------------------------------------

struct Kernel {
  std::string name;
  Call call;
  int parameters;
  const size_t *sizes;
};

const Kernel *find_kernel(const std::string &name);
// Runs a grid; false where a thread failed.
bool run_grid(const Kernel &kernel, dim3 grid, dim3 block, size_t shared, void **arguments);

// ---- what faults know of the threads: emu.cpp ---------------------------------------------------------------------------------------------------------------

// The kernel, block and thread that run on this thread of the system.
std::string running();
bool running_here();
// Leaves the running thread for good; the block has failed.
[[noreturn]] void abandon();
// Of a signal's handler: whether its stack is one of ours, so that it interrupted a kernel; and where to go on instead.
bool on_signal_stack(const void *here);
u64 stack_to_abandon_on();
// Whether it is in the shared memory of the block that runs here.
bool is_shared(const void *address, size_t bytes);

// ---- device memory: memory.cpp ------------------------------------------------------------------------------------------------------------------------------

// 0 where the device has no such block.
u64 allocate(size_t bytes);
bool release(u64 address);
size_t allocated();
// Whether all of it is in one block.
bool inside(u64 address, size_t bytes);
// Where an address is, seen from the nearest block.
std::string describe(u64 address);
// Reports what was written around the block that this address is in, where it is in one at all; false if there was something.
bool intact(u64 address, const std::string &by);

}
