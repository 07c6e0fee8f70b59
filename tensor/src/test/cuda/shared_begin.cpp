// Linked before the kernels: the linker lays out thread-local variables in the order of its files, so shared memory is what lies between this variable and that of shared_end.cpp.
namespace emu { __thread char shared_begin[64] __attribute__((aligned(64))) = {}; }
