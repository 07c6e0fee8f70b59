// CUDA's execution model on the CPU. A grid's blocks are shared out among threads of the system ("workers"); a block's threads are fibers of its worker, switched where they wait.
// Between two meetings the lanes of a warp run one after the other, in an order that tests choose: results that depend on it show a missing barrier. A warp runs until all its
// lanes wait for the block or have ended, because that is kind to the cache.
#include "emulator.h"
#include <atomic>
#include <csignal>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <numeric>
#include <sys/mman.h>
#include <thread>
#include <unordered_map>
#include <vector>

namespace emu {

extern __thread char shared_begin[64], shared_end[64];

enum : size_t { PAGE = 4096, SIGNAL_STACK = 64 << 10, MOST_SHARED = 228 << 10, MOST_WORKERS = 64 };
enum : u32 { WARP = 32 };

// ---- fibers -------------------------------------------------------------------------------------------------------------------------------------------------

// Saves the registers that a function must keep (System V, x86-64) and the stack, and goes on with another stack.
extern "C" void emu_switch(void **save, void *to);
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch, @function
emu_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");

enum class State { READY, AT_WARP, AT_BLOCK, ENDED };

struct Copy {
  void *shared;
  const void *global;
  int count, group;
};

// What the scheduler knows of a thread.
struct Fiber {
  Thread *thread;
  void *stack;
  Fiber *next;                                                                        // of its warp, in the chosen order
  State state;
  const char *file;                                                                   // where it waits
  int line;
  int group;                                                                          // of copies that is being put together
  std::vector<Copy> copies;
  size_t waitedFor;                                                                   // of the copies
};

// A thread of the system that runs one block at a time, with what it needs for that.
struct Worker {
  Block block = {};
  std::vector<Thread> threadTable = std::vector<Thread>(MOST_THREADS);
  std::vector<Fiber> fibers = std::vector<Fiber>(MOST_THREADS);
  Fiber *current;
  std::vector<Warp> warps = std::vector<Warp>(MOST_THREADS / WARP);
  std::vector<Fiber *> first = std::vector<Fiber *>(MOST_THREADS / WARP);               // of each warp
  std::vector<int> warpOrder;
  u8 *stacks, *shared, *signalStack;
  void *scheduler;
  const Kernel *kernel;
  void **arguments;
  long long order;
  int threads, waiting, ended;
  int vote, outcome;                                                                  // of the barrier that is being come to, and of the last one
  const char *barrierFile;
  int barrierLine;
  bool again, failed;
  alignas(16) u8 spareStack[16 << 10];

  Worker() {
    u64 all = STACK * MOST_THREADS, anywhere = (u64)map(2 * all);
    stacks = (u8 *)((anywhere + all - 1) / all * all);
    *(Thread **)stacks = threadTable.data();
    for (u32 i = 0; i < MOST_THREADS; i++) mprotect(stacks + i * STACK, PAGE, i == 0 ? PROT_READ : PROT_NONE);
    shared = map(MOST_SHARED + PAGE);
    mprotect(shared + MOST_SHARED, PAGE, PROT_NONE);
    signalStack = map(SIGNAL_STACK);
  }

  static u8 *map(size_t bytes) { return (u8 *)mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }
};

static __thread Worker *worker;
static Worker *workers[MOST_WORKERS];
static std::atomic<int> workerCount;

static Worker *running_worker() { return (Worker *)self()->block; }                    // its first member is the block

static Fiber *running_fiber() { return running_worker()->current; }

static void go_on(Worker *w, void **save, Fiber *fiber) {
  w->current = fiber;
  emu_switch(save, fiber->stack);
}

// Leaves the running fiber for the next one of its warp that can run, or for the scheduler.
static void yield(Worker *w, Fiber *me) {
  Fiber *f = me->next;
  while (f && f->state != State::READY) f = f->next;
  if (f) go_on(w, &me->stack, f);
  else emu_switch(&me->stack, w->scheduler);
}

void abandon() {
  void *unused;
  worker->failed = true;
  emu_switch(&unused, worker->scheduler);
  __builtin_unreachable();
}

bool running_here() { return worker != nullptr; }

std::string running() {
  char text[256];
  dim3 b = worker->block.index, t = worker->current->thread->index;
  snprintf(text, sizeof text, "%s: block (%u, %u, %u), thread (%u, %u, %u)", worker->kernel->name.c_str(), b.x, b.y, b.z, t.x, t.y, t.z);
  return text;
}

bool on_signal_stack(const void *here) {
  for (int i = 0; i < workerCount; i++) if ((u8 *)here >= workers[i]->signalStack && (u8 *)here < workers[i]->signalStack + SIGNAL_STACK) return true;
  return false;
}

u64 stack_to_abandon_on() { return (u64)(worker->spareStack + sizeof worker->spareStack - 16) - 8; }   // as after a call

// ---- waiting ------------------------------------------------------------------------------------------------------------------------------------------------

static const char *name_only(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool same_place(const char *file, int line, const char *otherFile, int otherLine) {
  return line == otherLine && (file == otherFile || strcmp(file, otherFile) == 0);
}

int block_barrier(int vote, const char *file, int line) {
  Worker *w = running_worker();
  Fiber *me = w->current;
  if (w->ended > 0) fail("waits for its block at %s:%d, where %d of its threads never come: they have ended", name_only(file), line, w->ended);
  if (w->waiting > 0 && !same_place(file, line, w->barrierFile, w->barrierLine)) {
    fail("waits for its block at %s:%d, but others of it at %s:%d", name_only(file), line, name_only(w->barrierFile), w->barrierLine);
  }
  w->barrierFile = file;
  w->barrierLine = line;
  w->vote |= vote;
  me->file = file;
  me->line = line;
  me->state = State::AT_BLOCK;
  if (++w->waiting == w->threads) {
    for (int i = 0; i < w->threads; i++) w->fibers[i].state = State::READY;
    w->waiting = 0;
    w->outcome = w->vote;
    w->vote = 0;
    w->again = true;                                                                  // from the first warp on
    emu_switch(&me->stack, w->scheduler);
  } else {
    yield(w, me);
  }
  return w->outcome;
}

bool last_of_warp(const char *file, int line) {
  Worker *w = running_worker();
  Fiber *me = w->current;
  Warp *warp = me->thread->warp;
  if (warp->ended) fail("waits for its warp at %s:%d, where %d lanes never come: they have ended", name_only(file), line, __builtin_popcount(warp->ended));
  if (warp->arrived == 0) {
    warp->file = file;
    warp->line = line;
  } else if (!same_place(file, line, warp->file, warp->line)) {
    fail("waits for its warp at %s:%d, but others of it at %s:%d", name_only(file), line, name_only(warp->file), warp->line);
  }
  warp->arrived |= 1u << me->thread->lane;
  if (warp->arrived == warp->lanes) return true;
  me->file = file;
  me->line = line;
  me->state = State::AT_WARP;
  yield(w, me);
  return false;
}

void release_warp() {
  Worker *w = running_worker();
  Fiber *me = w->current;
  Warp *warp = me->thread->warp;
  warp->arrived = 0;
  Fiber *first = w->first[warp - w->warps.data()];
  for (Fiber *f = first; f; f = f->next) f->state = State::READY;
  if (first != me) go_on(w, &me->stack, first);
}

// Where a fiber begins, and what it does last.
static void life() {
  Worker *w = running_worker();
  w->kernel->call(w->arguments);
  Fiber *me = w->current;
  Warp *warp = me->thread->warp;
  if (me->waitedFor < me->copies.size()) fail("ended without having waited for its copies");
  if (warp->arrived) fail("ended, but others of its warp wait for it at %s:%d", name_only(warp->file), warp->line);
  if (w->waiting) fail("ended, but others of its block wait for it at %s:%d", name_only(w->barrierFile), w->barrierLine);
  warp->ended |= 1u << me->thread->lane;
  w->ended++;
  me->state = State::ENDED;
  yield(w, me);
}

// ---- copies to shared memory, matrices of a warp ----------------------------------------------------------------------------------------------------------------

bool is_shared(const void *address, size_t bytes) {
  auto begin = (const u8 *)address, end = begin + bytes;
  bool dynamic = begin >= worker->block.shared && end <= worker->shared + MOST_SHARED;
  return dynamic || (begin >= (u8 *)shared_begin && end <= (u8 *)shared_end);
}

void copy_async(void *shared, const void *global, int count) {
  if ((u64)shared % 16 || (u64)global % 16) fail("copies between addresses that are not multiples of 16");
  if (count < 0 || count > 16) fail("copies %d bytes, of 0 to 16", count);
  if (!is_shared(shared, 16)) fail("copies to what is not its block's shared memory");
  Fiber *me = running_fiber();
  me->copies.push_back({shared, global, count, me->group});
}

void copy_async_commit() { running_fiber()->group++; }

void copy_async_wait(int groups) {
  Fiber *me = running_fiber();
  for (; me->waitedFor < me->copies.size() && me->copies[me->waitedFor].group < me->group - groups; me->waitedFor++) {
    auto &copy = me->copies[me->waitedFor];
    memset(copy.shared, 0, 16);
    memcpy(copy.shared, copy.global, copy.count);
  }
  if (me->waitedFor == me->copies.size()) {
    me->copies.clear();
    me->waitedFor = 0;
  }
}

// Lane l posted the row l % 8 of matrix l / 8 and gets of each matrix elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4, or of column l / 4.
void load_matrices(Warp &warp, bool transposed) {
  for (int i = 0; i < 32; i++) {
    if (warp.posted[i] % 16) fail("(with its warp) loads a matrix row from an address that is not a multiple of 16");
    if (!is_shared((void *)warp.posted[i], 16)) fail("(with its warp) loads a matrix row from what is not its block's shared memory");
  }
  for (int matrix = 0; matrix < 4; matrix++) {
    u16 element[8][8];
    for (int row = 0; row < 8; row++) memcpy(element[row], (void *)warp.posted[8 * matrix + row], 16);
    for (int lane = 0; lane < 32; lane++) {
      int row = lane / 4, column = 2 * (lane % 4);
      u32 low = transposed ? element[column][row] : element[row][column], high = transposed ? element[column + 1][row] : element[row][column + 1];
      warp.words[lane][matrix] = low | high << 16;
    }
  }
}

// Fragments of mma.m16n8k16 are spread out to whole matrices once, so that the products run over rows of eight floats. widen: a 16-bit number in the low half -> float.
template <class Widen> static void multiply(Warp &warp, Widen widen) {
  float a[16][16], b[16][8], d[16][8];
  for (int lane = 0; lane < 32; lane++) {
    int group = lane / 4, pair = 2 * (lane % 4);
    for (int i = 0; i < 4; i++) {
      u32 two = warp.a[lane][i];
      float *at = &a[group + 8 * (i & 1)][pair + 8 * (i / 2)];
      at[0] = widen((u16)two);
      at[1] = widen((u16)(two >> 16));
    }
    for (int i = 0; i < 2; i++) {
      u32 two = warp.b[lane][i];
      b[pair + 8 * i][group] = widen((u16)two);
      b[pair + 8 * i + 1][group] = widen((u16)(two >> 16));
    }
    for (int i = 0; i < 4; i++) d[group + 8 * (i / 2)][pair + (i & 1)] = warp.d[lane][i];
  }
  for (int row = 0; row < 16; row++) {
    for (int k = 0; k < 16; k++) for (int column = 0; column < 8; column++) d[row][column] += a[row][k] * b[k][column];
  }
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) warp.d[lane][i] = d[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + (i & 1)];
  }
}

void multiply_bf16(Warp &warp) { multiply(warp, [](u16 half) { return bits_to_f32((u32)half << 16); }); }
void multiply_f16(Warp &warp) { multiply(warp, f16_to_f32); }

// ---- blocks -------------------------------------------------------------------------------------------------------------------------------------------------

// 0 .. count - 1 in the chosen order.
static std::vector<int> ordered(int count, u32 seed) {
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (settings.order == 0) return order;
  for (int i = 0; i < count / 2 && settings.order == 1; i++) std::swap(order[i], order[count - 1 - i]);
  for (int i = count - 1; i > 0 && settings.order > 1; i--) {
    seed = seed * 1664525u + 1013904223u;
    std::swap(order[i], order[(seed >> 8) % (i + 1)]);
  }
  return order;
}

// Who the threads of a block are, and in which order they run: the same for all blocks of a grid, and for grids of the same blocks.
static void arrange(Worker &w, dim3 size) {
  dim3 before = w.block.size;
  if (size.x == before.x && size.y == before.y && size.z == before.z && settings.order == w.order) return;
  w.block.size = size;
  w.order = settings.order;
  w.threads = size.x * size.y * size.z;
  int warps = (w.threads + WARP - 1) / WARP;
  w.warpOrder = ordered(warps, w.order);
  for (int i = 0; i < warps; i++) {
    int lanes = std::min<int>(WARP, w.threads - i * WARP);
    w.warps[i].lanes = lanes == WARP ? ~0u : (1u << lanes) - 1;
    auto order = ordered(lanes, w.order + i + 1);
    Fiber *next = nullptr;
    for (int k = lanes - 1; k >= 0; k--) {
      u32 id = i * WARP + order[k];
      w.threadTable[id] = {{id % size.x, id / size.x % size.y, id / (size.x * size.y)}, order[k], &w.warps[i], &w.block};
      w.fibers[id].thread = &w.threadTable[id];
      w.fibers[id].next = next;
      next = &w.fibers[id];
    }
    w.first[i] = next;
  }
}

static void prepare(Worker &w, size_t shared) {
  w.waiting = w.ended = w.vote = 0;
  w.again = w.failed = false;
  memset(shared_begin, 0xff, shared_end - shared_begin);
  w.block.shared = w.shared + MOST_SHARED - (shared + 15) / 16 * 16;
  memset(w.block.shared, 0xff, w.shared + MOST_SHARED - w.block.shared);
  for (size_t i = 0; i < w.warpOrder.size(); i++) {
    w.warps[i].ended = w.warps[i].arrived = 0;
    memset(w.warps[i].posted, 0xff, sizeof w.warps[i].posted);                           // of lanes that are not there
  }
  for (int i = 0; i < w.threads; i++) {
    Fiber &f = w.fibers[i];
    f.state = State::READY;
    f.group = 0;
    f.copies.clear();
    f.waitedFor = 0;
    /* Stacks begin at different distances from their pages' ends: at equal ones they would share a few lines of the cache. */
    auto top = (void **)(w.stacks + (i + 1) * STACK - i * 7 % 61 * 192) - 2;
    *top = (void *)life;
    f.stack = top - 6;                                                                // six registers, whatever they hold
  }
}

// Why nobody can run: how many wait, and where.
static void report_deadlock(Worker &w) {
  for (int i = 0; i < w.threads; i++) {
    Fiber &f = w.fibers[i];
    if (f.state != State::AT_WARP) continue;
    w.current = &f;
    report(running() + " waits for its warp at " + name_only(f.file) + ":" + std::to_string(f.line) + ", others of it wait for their block"
      + (w.waiting ? std::string(" at ") + name_only(w.barrierFile) + ":" + std::to_string(w.barrierLine) : ""));
    return;
  }
}

static bool run_block(Worker &w) {
  while (w.ended < w.threads) {
    bool progress = false;
    w.again = false;
    for (size_t i = 0; i < w.warpOrder.size() && !w.again; i++) {
      Fiber *f = w.first[w.warpOrder[i]];
      while (f && !w.again) {
        if (f->state != State::READY) {
          f = f->next;
          continue;
        }
        progress = true;
        go_on(&w, &w.scheduler, f);
        if (w.failed) return false;
        f = w.first[w.warpOrder[i]];
      }
    }
    if (progress) continue;
    report_deadlock(w);
    return false;
  }
  return true;
}

// ---- grids ----------------------------------------------------------------------------------------------------------------------------------------------------

static std::unordered_map<std::string, Kernel> &kernels() {
  static std::unordered_map<std::string, Kernel> map;
  return map;
}

Registration::Registration(const char *name, Call call, int parameters, const size_t *sizes) {
  if (!kernels().emplace(name, Kernel{name, call, parameters, sizes}).second) {
    fprintf(stderr, "stand-in for a GPU: two kernels have the name %s\n", name);
    abort();
  }
}

const Kernel *find_kernel(const std::string &name) {
  auto found = kernels().find(name);
  return found == kernels().end() ? nullptr : &found->second;
}

// Helpers that wait for work, and the caller, which takes part as worker 0.
class Pool {
  std::mutex lock;
  std::condition_variable begin, end;
  std::function<void()> job;
  int wanted = 0, busy = 0;

  void serve(int number) {
    std::unique_lock<std::mutex> guard(lock);
    for (;;) {
      begin.wait(guard, [&] { return wanted > 0; });
      wanted--;
      guard.unlock();
      job_as(number);
      guard.lock();
      if (--busy == 0) end.notify_one();
    }
  }

  // Signals of this thread come on a stack of ours meanwhile, because those of the kernel are small and may be what is wrong.
  void job_as(int number) {
    stack_t ours = {}, before;
    ours.ss_sp = workers[number]->signalStack;
    ours.ss_size = SIGNAL_STACK;
    sigaltstack(&ours, &before);
    worker = workers[number];
    job();
    worker = nullptr;
    sigaltstack(&before, nullptr);
  }

public:
  int size = 0;

  void grow(int count) {
    for (; size < count; size++) {
      workers[size] = new Worker;
      workerCount = size + 1;
      if (size > 0) std::thread([this, number = size] { serve(number); }).detach();
    }
  }

  void run(int count, const std::function<void()> &work) {
    grow(count);
    {
      std::lock_guard<std::mutex> guard(lock);
      job = work;
      wanted = busy = count - 1;
    }
    if (count > 1) begin.notify_all();
    job_as(0);
    std::unique_lock<std::mutex> guard(lock);
    end.wait(guard, [&] { return busy == 0; });
  }
};

bool run_grid(const Kernel &kernel, dim3 grid, dim3 block, size_t shared, void **arguments) {
  static auto &pool = *new Pool;                                                       // never taken down: its threads run until the process ends
  static int processors = std::thread::hardware_concurrency();
  catch_signals();
  u64 blocks = (u64)grid.x * grid.y * grid.z;
  std::atomic<u64> next{0};
  std::atomic<bool> failed{false};
  auto work = [&] {
    Worker &w = *worker;
    w.kernel = &kernel;
    w.arguments = arguments;
    arrange(w, block);
    w.block.grid = grid;
    for (u64 i; (i = next++) < blocks && !failed;) {
      u64 id = settings.order == 0 ? i : blocks - 1 - i;
      w.block.index = {(u32)(id % grid.x), (u32)(id / grid.x % grid.y), (u32)(id / ((u64)grid.x * grid.y))};
      prepare(w, shared);
      if (!run_block(w)) failed = true;
    }
  };
  u64 count = settings.threads > 0 ? settings.threads : processors;
  pool.run((int)std::min<u64>({count, blocks, MOST_WORKERS}), work);
  return !failed;
}

}
