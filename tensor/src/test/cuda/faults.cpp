// Faults of kernels: what a thread did, where, and of which block of which kernel; the block ends and the launch fails, as on a device, but the process goes on. They come from
// checks here and there, from memory that may not be touched (signals), and from g++'s undefined behaviour sanitizer, whose handlers these are: no library of its own is needed.
#include "emulator.h"
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <dlfcn.h>
#include <mutex>
#include <ucontext.h>

namespace emu {

Settings settings;

// ---- reports ------------------------------------------------------------------------------------------------------------------------------------------------

static std::mutex lock;
static std::string first;
// Where the machine's code was, for addr2line; null where the report names the source itself.
static void *code;

// The line of the source that code at this address was made from, where binutils' addr2line and the symbols tell.
static std::string source_of(void *address) {
  Dl_info library;
  if (!dladdr(address, &library)) return "";
  char command[4096], text[1024] = "";
  snprintf(command, sizeof command, "addr2line -s -e '%s' %#zx 2>/dev/null", library.dli_fname, (size_t)((u8 *)address - (u8 *)library.dli_fbase));
  FILE *pipe = popen(command, "r");
  if (!pipe) return "";
  if (!fgets(text, sizeof text, pipe)) text[0] = 0;
  pclose(pipe);
  text[strcspn(text, " \n")] = 0;
  return text[0] == 0 || text[0] == '?' ? "" : std::string(" (") + text + ")";
}

static void keep(const std::string &text, void *address) {
  std::lock_guard<std::mutex> guard(lock);
  if (!first.empty()) return;
  first = text;
  code = address;
}

void report(const std::string &text) { keep(text, nullptr); }

void fail(const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  keep(running() + " " + text, nullptr);
  abandon();
}

static const char *name_only(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// ---- signals: memory that may not be touched ------------------------------------------------------------------------------------------------------------------

static struct sigaction previous_of_segv, previous_of_bus;

static void on_signal(int signal, siginfo_t *info, void *context) {
  char here;
  if (on_signal_stack(&here)) {
    auto &registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    bool writes = registers[REG_ERR] & 2;
    /* A vector load that asks for an aligned address and gets another one is told without an address. */
    std::string what = info->si_code == SI_KERNEL ? " used an address that is not aligned, or none at all"
      : std::string(writes ? " wrote to " : " read from ") + describe((u64)info->si_addr);
    keep(running() + what, (void *)registers[REG_RIP]);
    registers[REG_RIP] = (greg_t)&abandon;
    registers[REG_RSP] = (greg_t)stack_to_abandon_on();
    return;
  }
  auto &previous = signal == SIGSEGV ? previous_of_segv : previous_of_bus;             // Java's, which lives on such signals
  if (previous.sa_flags & SA_SIGINFO) previous.sa_sigaction(signal, info, context);
  else if (previous.sa_handler == SIG_DFL) sigaction(signal, &previous, nullptr);
  else if (previous.sa_handler != SIG_IGN) previous.sa_handler(signal);
}

void catch_signals() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(SIGSEGV, &action, &previous_of_segv);
    sigaction(SIGBUS, &action, &previous_of_bus);
  });
}

}

// ---- undefined behaviour: every description begins with where it is ---------------------------------------------------------------------------------------------

struct SourceLocation {
  const char *file;
  u32 line, column;
};

struct TypeMismatch {
  SourceLocation at;
  const void *type;
  u8 log_alignment, kind;
};

[[noreturn]] static void undefined(const SourceLocation *at, const char *what) {
  if (!emu::running_here()) {
    fprintf(stderr, "stand-in for a GPU: %s at %s:%u\n", what, at->file, at->line);
    abort();
  }
  emu::fail("%s (%s:%u)", what, emu::name_only(at->file), at->line);
}

#define HANDLER(name, what) extern "C" void __ubsan_handle_##name(const SourceLocation *at) { undefined(at, what); }
HANDLER(add_overflow_abort, "added past the range of its type")
HANDLER(sub_overflow_abort, "subtracted past the range of its type")
HANDLER(mul_overflow_abort, "multiplied past the range of its type")
HANDLER(negate_overflow_abort, "negated past the range of its type")
HANDLER(divrem_overflow_abort, "divided by zero")
HANDLER(shift_out_of_bounds_abort, "shifted by too many bits")
HANDLER(out_of_bounds_abort, "used an index outside of the array's bounds")
HANDLER(load_invalid_value_abort, "read a value that its type does not have")
HANDLER(pointer_overflow_abort, "moved a pointer past the end of memory")
HANDLER(vla_bound_not_positive_abort, "made an array of no elements")
HANDLER(nonnull_arg_abort, "passed null where that is forbidden")
HANDLER(invalid_builtin_abort, "counted the zeros of 0")
HANDLER(builtin_unreachable, "reached what cannot be reached")
HANDLER(missing_return, "ended without a value")

extern "C" void __ubsan_handle_type_mismatch_v1_abort(const TypeMismatch *mismatch, u64 address) {
  u64 alignment = 1ull << mismatch->log_alignment;
  if (address % alignment == 0) undefined(&mismatch->at, address == 0 ? "used a null pointer" : "used an object that is not all there");
  char text[128];
  snprintf(text, sizeof text, "used an address that is %u more than a multiple of %u", (u32)(address % alignment), (u32)alignment);
  undefined(&mismatch->at, text);
}

// ---- for tests ------------------------------------------------------------------------------------------------------------------------------------------------

// The first fault since the last call of emu_reset, "" where there was none.
extern "C" __attribute__((visibility("default"))) const char *emu_fault() {
  std::lock_guard<std::mutex> guard(emu::lock);
  if (emu::code) emu::first += emu::source_of(emu::code);
  emu::code = nullptr;
  return emu::first.c_str();
}

void forget_fault() {
  std::lock_guard<std::mutex> guard(emu::lock);
  emu::first.clear();
  emu::code = nullptr;
}
