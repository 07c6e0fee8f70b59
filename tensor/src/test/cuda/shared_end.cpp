// Linked after the kernels: see shared_begin.cpp.
namespace emu { __thread char shared_end[64] __attribute__((aligned(64))) = {}; }
