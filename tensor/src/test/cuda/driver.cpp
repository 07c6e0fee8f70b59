// A libcuda.so.1 for machines without one: the functions of NVIDIA's driver that Inkstone calls, by the names that JCuda's natives look for (a function that is missing here ends the
// process when it is called). Device memory is the host's (memory.cpp), kernels run on the CPU (emu.cpp). What is asynchronous on a device is late here: work of a stream is done
// when somebody waits for it, so a missing wait shows as old data. After a kernel's fault every call fails, as it does there, until the test calls emu_reset.
#include "emulator.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

using namespace emu;

enum Result {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600,
  ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, CAPTURE_UNMATCHED = 903, CAPTURE_ISOLATION = 905, CAPTURED_EVENT = 907
};

enum : size_t { USUAL_SHARED = 48 << 10, MOST_SHARED = 227 << 10 };

#define API extern "C" __attribute__((visibility("default"))) Result

// ---- state ----------------------------------------------------------------------------------------------------------------------------------------------------

// Something that a stream does, late.
using Work = std::function<Result()>;

struct Event;

struct Graph { std::vector<Work> nodes; };

struct Stream {
  std::deque<Work> pending;
  std::unique_ptr<Graph> captured;                                                    // not null: work is written down instead of done
  bool invalidated = false;
};

struct Event {
  Stream *stream = nullptr;                                                           // where it was recorded last; null: nowhere
  u64 recorded = 0, happened = 0;                                                     // how often; a stream may record it again before it has happened
  bool captured = false;

  bool done() const { return happened == recorded; }
  std::chrono::steady_clock::time_point time;
};

struct Function {
  const Kernel *kernel;
  size_t staticShared, mostThreads, allowedShared = USUAL_SHARED;
};

// What a module's text says of its kernels.
struct Module { std::map<std::string, Function> functions; };

static std::recursive_mutex driver;
static Result lost = SUCCESS;                                                          // what made the context unusable
static Stream usual;                                                                  // the stream of calls that name none
static std::set<Stream *> streams = {&usual};

void forget_fault();
extern "C" const char *emu_fault();

// Every function of the driver begins so: one call at a time, and none once the context is lost.
#define ENTER std::lock_guard<std::recursive_mutex> guard(driver); if (lost) return lost

static Result lose(Result result) {
  lost = result;
  if (!settings.quiet) fprintf(stderr, "stand-in for a GPU: %s\n", emu_fault());
  return result;
}

static Stream *of(void *handle) { return handle ? (Stream *)handle : &usual; }

static Result drain(Stream &stream) {
  while (!stream.pending.empty()) {
    Work work = std::move(stream.pending.front());
    stream.pending.pop_front();
    if (Result result = work()) return result;
  }
  return SUCCESS;
}

static Result drain_all() {
  for (Stream *stream : streams) if (Result result = drain(*stream)) return result;
  return SUCCESS;
}

// Done now as far as the caller can tell, or written down.
static Result enqueue(void *handle, Work work) {
  Stream &stream = *of(handle);
  if (stream.invalidated) return CAPTURE_INVALIDATED;
  if (stream.captured) stream.captured->nodes.push_back(std::move(work));
  else stream.pending.push_back(std::move(work));
  return SUCCESS;
}

// For what must not happen while a stream is being captured: it would not be in the graph.
static bool spoils_capture() {
  bool spoilt = false;
  for (Stream *stream : streams) if (stream->captured) spoilt = stream->invalidated = true;
  return spoilt;
}

#define OUTSIDE_OF_CAPTURE if (spoils_capture()) return CAPTURE_UNSUPPORTED

// ---- for tests --------------------------------------------------------------------------------------------------------------------------------------------------

static std::map<std::string, long long *> names() {
  return {{"order", &settings.order}, {"threads", &settings.threads}, {"memory", &settings.memory}, {"devices", &settings.devices}, {"version", &settings.version},
    {"capability", &settings.capability}, {"multiprocessors", &settings.multiprocessors}, {"quiet", &settings.quiet}};
}

// 0, or 1 where there is no such setting.
extern "C" __attribute__((visibility("default"))) int emu_set(const char *name, long long value) {
  std::lock_guard<std::recursive_mutex> guard(driver);
  auto all = names();
  auto found = all.find(name);
  if (found == all.end()) return 1;
  *found->second = value;
  return 0;
}

// For processes that a test starts: EMU_MEMORY=1000000 and so on.
__attribute__((constructor)) static void settings_of_the_environment() {
  for (auto &[name, value] : names()) {
    std::string variable = "EMU_" + name;
    for (auto &letter : variable) letter = toupper(letter);
    if (const char *text = getenv(variable.c_str())) *value = atoll(text);
  }
}

// A fresh context, as a new process has: memory stays, what was to be done is forgotten.
extern "C" __attribute__((visibility("default"))) void emu_reset() {
  std::lock_guard<std::recursive_mutex> guard(driver);
  lost = SUCCESS;
  for (Stream *stream : streams) {
    stream->pending.clear();
    stream->captured.reset();
    stream->invalidated = false;
  }
  forget_fault();
}

// ---- devices ------------------------------------------------------------------------------------------------------------------------------------------------------

API cuInit(unsigned) { return settings.devices > 0 ? SUCCESS : NO_DEVICE; }

API cuDriverGetVersion(int *version) {
  *version = (int)settings.version;
  return SUCCESS;
}

API cuDeviceGetCount(int *count) {
  *count = (int)settings.devices;
  return SUCCESS;
}

API cuDeviceGet(int *device, int index) {
  *device = index;
  return index >= 0 && index < settings.devices ? SUCCESS : INVALID_DEVICE;
}

API cuDeviceGetName(char *name, int length, int) {
  snprintf(name, length, "CPU emulation of a CUDA device");
  return SUCCESS;
}

API cuDeviceTotalMem_v2(size_t *bytes, int) {
  *bytes = settings.memory;
  return SUCCESS;
}

API cuDeviceGetAttribute(int *value, int attribute, int) {
  switch (attribute) {
    case 1: *value = 1024; return SUCCESS;                                              // MAX_THREADS_PER_BLOCK
    case 8: *value = USUAL_SHARED; return SUCCESS;                                      // MAX_SHARED_MEMORY_PER_BLOCK
    case 10: *value = 32; return SUCCESS;                                               // WARP_SIZE
    case 13: *value = 1000000; return SUCCESS;                                          // CLOCK_RATE, kHz
    case 16: *value = (int)settings.multiprocessors; return SUCCESS;                    // MULTIPROCESSOR_COUNT
    case 36: *value = 1000000; return SUCCESS;                                          // MEMORY_CLOCK_RATE, kHz
    case 37: *value = 64; return SUCCESS;                                               // GLOBAL_MEMORY_BUS_WIDTH, bits
    case 38: *value = 32 << 20; return SUCCESS;                                         // L2_CACHE_SIZE
    case 75: *value = (int)settings.capability / 10; return SUCCESS;                    // COMPUTE_CAPABILITY_MAJOR
    case 76: *value = (int)settings.capability % 10; return SUCCESS;                    // COMPUTE_CAPABILITY_MINOR
    case 89: *value = 1; return SUCCESS;                                                // CONCURRENT_MANAGED_ACCESS
    case 97: *value = MOST_SHARED; return SUCCESS;                                      // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    default: return INVALID_VALUE;
  }
}

API cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER;
  *context = (void *)(u64)(device + 1);
  return SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(int) {
  ENTER;
  return SUCCESS;
}

API cuCtxSetCurrent(void *) {
  ENTER;
  return SUCCESS;
}

API cuCtxSynchronize() {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  return drain_all();
}

// ---- streams and events -------------------------------------------------------------------------------------------------------------------------------------------

API cuStreamCreate(void **handle, unsigned) {
  ENTER;
  auto stream = new Stream;
  streams.insert(stream);
  *handle = stream;
  return SUCCESS;
}

API cuStreamDestroy_v2(void *handle) {
  ENTER;
  Result result = drain(*of(handle));
  streams.erase((Stream *)handle);
  delete (Stream *)handle;
  return result;
}

API cuStreamSynchronize(void *handle) {
  ENTER;
  Stream &stream = *of(handle);
  if (stream.captured) {
    stream.invalidated = true;
    return CAPTURE_UNSUPPORTED;
  }
  return drain(stream);
}

API cuEventCreate(void **handle, unsigned) {
  ENTER;
  *handle = new Event;
  return SUCCESS;
}

API cuEventDestroy_v2(void *handle) {
  ENTER;
  auto event = (Event *)handle;
  Result result = event->stream && !event->done() && !event->captured ? drain(*event->stream) : SUCCESS;
  delete event;
  return result;
}

API cuEventRecord(void *handle, void *stream) {
  ENTER;
  auto event = (Event *)handle;
  event->stream = of(stream);
  event->captured = event->stream->captured != nullptr;
  if (event->captured) return event->stream->invalidated ? CAPTURE_INVALIDATED : SUCCESS;
  u64 number = ++event->recorded;
  return enqueue(stream, [event, number] {
    event->happened = number;
    event->time = std::chrono::steady_clock::now();
    return SUCCESS;
  });
}

// Until the event has happened for the number-th time.
static Result await(Event *event, u64 number) {
  while (event->stream && event->happened < number) {
    auto &pending = event->stream->pending;
    if (pending.empty()) return INVALID_HANDLE;
    Work work = std::move(pending.front());
    pending.pop_front();
    if (Result result = work()) return result;
  }
  return SUCCESS;
}

API cuEventSynchronize(void *handle) {
  ENTER;
  auto event = (Event *)handle;
  if (event->captured) {
    spoils_capture();
    return CAPTURED_EVENT;
  }
  return await(event, event->recorded);
}

API cuStreamWaitEvent(void *handle, void *eventHandle, unsigned) {
  ENTER;
  auto event = (Event *)eventHandle;
  Stream &stream = *of(handle);
  if (event->captured) return event->stream == &stream ? SUCCESS : CAPTURE_UNSUPPORTED;
  if (stream.captured) {
    stream.invalidated = true;
    return CAPTURE_ISOLATION;
  }
  return enqueue(handle, [event, number = event->recorded] { return await(event, number); });
}

API cuEventElapsedTime(float *milliseconds, void *from, void *to) {
  ENTER;
  auto a = (Event *)from, b = (Event *)to;
  if (a->captured || b->captured || !a->stream || !b->stream) return INVALID_HANDLE;
  if (!a->done() || !b->done()) return NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(b->time - a->time).count();
  return SUCCESS;
}

// ---- memory -----------------------------------------------------------------------------------------------------------------------------------------------------------

API cuMemGetInfo_v2(size_t *free, size_t *total) {
  ENTER;
  *total = settings.memory;
  *free = std::max<long long>(0, settings.memory - (long long)allocated());
  return SUCCESS;
}

API cuMemAlloc_v2(u64 *address, size_t bytes) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  if (bytes == 0) return INVALID_VALUE;
  *address = allocate(bytes);
  return *address ? SUCCESS : OUT_OF_MEMORY;
}

// For the host too, whose reads see what was waited for.
API cuMemAllocManaged(u64 *address, size_t bytes, unsigned) { return cuMemAlloc_v2(address, bytes); }

API cuMemFree_v2(u64 address) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  if (Result result = drain_all()) return result;
  if (!inside(address, 1)) return INVALID_VALUE;
  if (!intact(address, "something")) return lose(ILLEGAL_ADDRESS);
  return release(address) ? SUCCESS : INVALID_VALUE;
}

API cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  return *address ? SUCCESS : OUT_OF_MEMORY;
}

API cuMemFreeHost(void *address) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  Result result = drain_all();
  free(address);
  return result;
}

// Of a copy or a fill that would leave its block.
static Result outside(const char *what, u64 address, size_t bytes) {
  report(std::string(what) + " " + std::to_string(bytes) + " bytes at " + describe(address) + ", which has not that many");
  if (!settings.quiet) fprintf(stderr, "stand-in for a GPU: %s\n", emu_fault());
  return INVALID_VALUE;
}

API cuMemcpyHtoDAsync_v2(u64 to, const void *from, size_t bytes, void *stream) {
  ENTER;
  if (!inside(to, bytes)) return outside("copying to the device", to, bytes);
  return enqueue(stream, [=] {
    memcpy((void *)to, from, bytes);
    return SUCCESS;
  });
}

API cuMemcpyDtoHAsync_v2(void *to, u64 from, size_t bytes, void *stream) {
  ENTER;
  if (!inside(from, bytes)) return outside("copying from the device", from, bytes);
  return enqueue(stream, [=] {
    memcpy(to, (void *)from, bytes);
    return SUCCESS;
  });
}

API cuMemcpyDtoDAsync_v2(u64 to, u64 from, size_t bytes, void *stream) {
  ENTER;
  if (!inside(to, bytes)) return outside("copying within the device to", to, bytes);
  if (!inside(from, bytes)) return outside("copying within the device from", from, bytes);
  if (to < from + bytes && from < to + bytes) return INVALID_VALUE;                       // a device copies in any order
  return enqueue(stream, [=] {
    memcpy((void *)to, (void *)from, bytes);
    return SUCCESS;
  });
}

API cuMemsetD8Async(u64 at, u8 value, size_t bytes, void *stream) {
  ENTER;
  if (!inside(at, bytes)) return outside("filling", at, bytes);
  return enqueue(stream, [=] {
    memset((void *)at, value, bytes);
    return SUCCESS;
  });
}

API cuMemsetD32Async(u64 at, u32 value, size_t count, void *stream) {
  ENTER;
  if (at % 4 || !inside(at, 4 * count)) return outside("filling", at, 4 * count);
  return enqueue(stream, [=] {
    for (size_t i = 0; i < count; i++) memcpy((u8 *)at + 4 * i, &value, 4);
    return SUCCESS;
  });
}

// Copies without a stream wait for it.
API cuMemcpyHtoD_v2(u64 to, const void *from, size_t bytes) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  Result result = cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr);
  return result ? result : drain(usual);
}

API cuMemcpyDtoH_v2(void *to, u64 from, size_t bytes) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  Result result = cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr);
  return result ? result : drain(usual);
}

// ---- modules and launches -------------------------------------------------------------------------------------------------------------------------------------------

// The number behind a word in [from, to), 0 where the word is not there.
static size_t number_after(const std::string &text, const std::string &word, size_t from, size_t to) {
  size_t at = text.find(word, from);
  return at < to ? strtoull(text.c_str() + at + word.size(), nullptr, 10) : 0;
}

// Bytes of each array in shared memory that the module declares by name; arrays of size unknown are the dynamic ones.
static std::map<std::string, size_t> shared_arrays(const std::string &text) {
  std::map<std::string, size_t> arrays;
  for (size_t at = 0; (at = text.find(".shared .align", at)) != std::string::npos; at++) {
    size_t end = text.find(';', at), name = text.find(".b8 ", at), bracket = text.find('[', at);
    if (name > end || bracket > end) continue;
    arrays[text.substr(name + 4, bracket - name - 4)] = strtoull(text.c_str() + bracket + 1, nullptr, 10);
  }
  return arrays;
}

// A kernel that the text lacks is not found, as on a device. What its launches may ask for follows from the text too.
API cuModuleLoadData(void **handle, const char *ptx) {
  ENTER;
  std::string text = ptx;
  if (text.find(".version") == std::string::npos) return INVALID_IMAGE;
  auto arrays = shared_arrays(text);
  auto module = new Module;
  std::string entry = ".entry ";
  for (size_t at = text.find(entry); at != std::string::npos;) {
    size_t begin = at + entry.size(), next = text.find(entry, begin), end = std::min(next, text.size());
    std::string name = text.substr(begin, text.find_first_of("( \n", begin) - begin);
    size_t bytes = 0, most = number_after(text, ".maxntid ", begin, end);
    for (auto &[array, size] : arrays) if (text.find(array, begin) < end) bytes += size;
    if (const Kernel *kernel = find_kernel(name)) module->functions[name] = {kernel, bytes, most ? most : 1024};
    at = next;
  }
  *handle = module;
  return SUCCESS;
}

API cuModuleUnload(void *handle) {
  ENTER;
  delete (Module *)handle;
  return SUCCESS;
}

API cuModuleGetFunction(void **handle, void *module, const char *name) {
  ENTER;
  auto &functions = ((Module *)module)->functions;
  auto found = functions.find(name);
  if (found == functions.end()) return NOT_FOUND;
  *handle = &found->second;
  return SUCCESS;
}

API cuFuncSetAttribute(void *handle, int attribute, int value) {
  ENTER;
  auto function = (Function *)handle;
  if (attribute != 8) return INVALID_VALUE;                                              // MAX_DYNAMIC_SHARED_SIZE_BYTES
  if (value < 0 || function->staticShared + value > MOST_SHARED) return INVALID_VALUE;
  function->allowedShared = std::max<size_t>(function->staticShared + value, USUAL_SHARED);
  return SUCCESS;
}

// A launch with copies of its arguments, for now or for each time that its graph runs.
struct Launch {
  const Kernel *kernel;
  dim3 grid, block;
  size_t shared;
  std::vector<std::vector<u8>> values;

  Result run() {
    std::vector<void *> arguments;
    for (auto &value : values) arguments.push_back(value.data());
    if (!run_grid(*kernel, grid, block, shared, arguments.data())) return lose(LAUNCH_FAILED);
    for (auto &value : values) {
      u64 address = 0;
      if (value.size() == 8) memcpy(&address, value.data(), 8);
      if (!intact(address, kernel->name)) return lose(ILLEGAL_ADDRESS);
    }
    return SUCCESS;
  }
};

API cuLaunchKernel(void *handle, u32 gridX, u32 gridY, u32 gridZ, u32 blockX, u32 blockY, u32 blockZ, u32 shared, void *stream, void **arguments, void **) {
  ENTER;
  auto function = (Function *)handle;
  u64 threads = (u64)blockX * blockY * blockZ;
  if (threads == 0 || threads > function->mostThreads || function->staticShared + shared > function->allowedShared) return INVALID_VALUE;
  if (gridX == 0 || gridY == 0 || gridZ == 0 || gridX > 0x7fffffffu || gridY > 65535 || gridZ > 65535) return INVALID_VALUE;
  Launch launch{function->kernel, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared, {}};
  for (int i = 0; i < launch.kernel->parameters; i++) {
    auto value = (const u8 *)arguments[i];
    launch.values.emplace_back(value, value + launch.kernel->sizes[i]);
  }
  return enqueue(stream, [launch]() mutable { return launch.run(); });
}

// ---- graphs -------------------------------------------------------------------------------------------------------------------------------------------------------------

API cuStreamBeginCapture_v2(void *handle, int) {
  ENTER;
  Stream &stream = *of(handle);
  if (&stream == &usual || stream.captured) return CAPTURE_UNSUPPORTED;
  stream.captured.reset(new Graph);
  return SUCCESS;
}

API cuStreamEndCapture(void *handle, void **graph) {
  ENTER;
  Stream &stream = *of(handle);
  *graph = nullptr;
  if (!stream.captured) return CAPTURE_UNMATCHED;
  auto captured = std::move(stream.captured);
  if (stream.invalidated) {
    stream.invalidated = false;
    return CAPTURE_INVALIDATED;
  }
  *graph = captured.release();
  return SUCCESS;
}

API cuGraphInstantiateWithFlags(void **executable, void *graph, u64) {
  ENTER;
  *executable = new Graph(*(Graph *)graph);
  return SUCCESS;
}

API cuGraphLaunch(void *executable, void *stream) {
  ENTER;
  OUTSIDE_OF_CAPTURE;
  for (auto &node : ((Graph *)executable)->nodes) if (Result result = enqueue(stream, node)) return result;
  return SUCCESS;
}

API cuGraphDestroy(void *graph) {
  ENTER;
  delete (Graph *)graph;
  return SUCCESS;
}

API cuGraphExecDestroy(void *executable) {
  ENTER;
  Result result = drain_all();
  delete (Graph *)executable;
  return result;
}
