// Device memory: each block lies at the end of its pages, before one that may not be touched, so that a kernel which leaves it is stopped there and then. What is between the bytes
// asked for and that page, less than 256, and what is before the block keep a pattern that is looked at after each launch. Freed addresses are never handed out again. New memory is
// full of NaN.
#include "emulator.h"
#include <map>
#include <sys/mman.h>

namespace emu {

enum : size_t { PAGE = 4096, ALIGNMENT = 256 };
enum : u8 { POISON = 0xff };

struct Allocation {
  size_t bytes;
  u8 *pages, *end;                                                                    // what may be touched
};

static std::map<u64, Allocation> allocations;
static size_t total;

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

u64 allocate(size_t bytes) {
  size_t padded = round_up(bytes, ALIGNMENT), size = round_up(padded, PAGE);
  if (padded + total > (size_t)settings.memory) return 0;
  auto map = (u8 *)mmap(nullptr, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return 0;
  u8 *pages = map + PAGE, *end = pages + size;
  if (mprotect(pages, size, PROT_READ | PROT_WRITE)) {
    munmap(map, size + 2 * PAGE);
    return 0;
  }
  memset(pages, POISON, size);
  u64 address = (u64)(end - padded);
  allocations[address] = {bytes, pages, end};
  total += padded;
  return address;
}

bool release(u64 address) {
  auto found = allocations.find(address);
  if (found == allocations.end()) return false;
  auto &a = found->second;
  mmap(a.pages, a.end - a.pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  total -= round_up(a.bytes, ALIGNMENT);
  allocations.erase(found);
  return true;
}

size_t allocated() { return total; }

// The last block that begins at or before the address.
static std::map<u64, Allocation>::iterator before(u64 address) {
  auto next = allocations.upper_bound(address);
  return next == allocations.begin() ? allocations.end() : std::prev(next);
}

bool inside(u64 address, size_t bytes) {
  auto a = before(address);
  return a != allocations.end() && address - a->first <= a->second.bytes && bytes <= a->second.bytes - (address - a->first);
}

std::string describe(u64 address) {
  if (address < PAGE) return "address " + std::to_string(address) + ", a null pointer";
  auto a = before(address);
  auto next = allocations.upper_bound(address);
  if (a != allocations.end() && address < a->first + a->second.bytes) return "byte " + std::to_string(address - a->first) + " of a block of " + std::to_string(a->second.bytes);
  u64 behind = a == allocations.end() ? ~0ull : address - a->first - a->second.bytes, ahead = next == allocations.end() ? ~0ull : next->first - address;
  if (behind <= ahead && behind < 1u << 30) return "an address " + std::to_string(behind) + " bytes behind the end of a block of " + std::to_string(a->second.bytes);
  if (ahead < 1u << 30) return "an address " + std::to_string(ahead) + " bytes before a block of " + std::to_string(next->second.bytes);
  return "an address that is not the device's";
}

bool intact(u64 address, const std::string &by) {
  auto a = before(address);
  if (a == allocations.end() || address > a->first + a->second.bytes) return true;
  auto begin = (u8 *)a->first, end = begin + a->second.bytes;
  for (u8 *p = a->second.pages; p < a->second.end; p++) {
    if (p == begin) p = end;
    if (p == a->second.end) break;
    if (*p == POISON) continue;
    report(by + " wrote " + (p < begin ? std::to_string(begin - p) + " bytes before" : std::to_string(p - end) + " bytes behind the end of") + " a block of "
      + std::to_string(a->second.bytes) + " bytes");
    memset(a->second.pages, POISON, begin - a->second.pages);
    memset(end, POISON, a->second.end - end);
    return false;
  }
  return true;
}

}
