// Allocation with huge pages on Linux, aligned allocation elsewhere.
#include "memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "errors.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace crossover {
namespace {

constexpr int64_t kHugePage = 2 << 20;
constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

/// First integer of a file, or kUnknown when it is absent or not a number ("max").
int64_t numberIn(const char* path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : kUnknown;
}

/// A line "key value kB" of /proc/meminfo, in bytes.
int64_t memoryInfo(const char* key) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  int64_t value = 0;
  while (file >> name >> value) {
    std::getline(file, unit);
    if (name == key) return value * 1024;
  }
  return kUnknown;
}

/// What the control group (version 2, then 1) of this process has left.
int64_t groupLeft() {
  const int64_t limit2 = numberIn("/sys/fs/cgroup/memory.max");
  if (limit2 != kUnknown) return std::max<int64_t>(0, limit2 - numberIn("/sys/fs/cgroup/memory.current"));
  const int64_t limit1 = numberIn("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  if (limit1 == kUnknown) return kUnknown;
  const int64_t used = numberIn("/sys/fs/cgroup/memory/memory.usage_in_bytes");
  return used == kUnknown ? limit1 : std::max<int64_t>(0, limit1 - used);
}

[[noreturn]] void tooLarge(int64_t bytes, int64_t available, const char* what) {
  char text[200];
  std::snprintf(
      text, sizeof text,
      "The %s needs %lld bytes (%.1f GiB) and %lld bytes (%.1f GiB) are available; use a smaller batch, "
      "context or model.",
      what, static_cast<long long>(bytes), static_cast<double>(bytes) / (1 << 30),
      static_cast<long long>(available), static_cast<double>(available) / (1 << 30));
  Error error("memory", text);
  error.needed = bytes;
  error.available = available;
  throw error;
}

}  // namespace

int64_t physicalMemory() {
#if defined(_SC_PHYS_PAGES)
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
#else
  return kUnknown;
#endif
}

int64_t availableMemory() {
  const int64_t machine = memoryInfo("MemAvailable:");
  return std::min(machine == kUnknown ? physicalMemory() : machine, groupLeft());
}

void requireMemory(int64_t bytes, const char* what) {
  if (bytes <= (1 << 20)) return;
  const int64_t available = availableMemory();
  if (bytes > available) tooLarge(bytes, available, what);
}

Memory::Memory(int64_t bytes, const char* what) : size_(bytes) {
  requireMemory(bytes, what);
#if defined(__linux__)
  if (bytes >= 2 * kHugePage) {
    const std::size_t length = static_cast<std::size_t>(bytes) + kHugePage;
    void* mapping = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) tooLarge(bytes, availableMemory(), what);
    mapping_ = mapping;
    mapped_ = length;
    const auto address = reinterpret_cast<uintptr_t>(mapping);
    const uintptr_t aligned = (address + kHugePage - 1) / kHugePage * kHugePage;
    data_ = reinterpret_cast<uint8_t*>(aligned);
    madvise(data_, static_cast<std::size_t>(bytes), MADV_HUGEPAGE);
    return;
  }
#endif
  const std::size_t length = (static_cast<std::size_t>(bytes) + 127) / 64 * 64;
  mapping_ = ::operator new (length, std::align_val_t{64}, std::nothrow);
  if (mapping_ == nullptr) tooLarge(bytes, availableMemory(), what);
  data_ = static_cast<uint8_t*>(mapping_);
  std::memset(data_, 0, length);
}

Memory::~Memory() {
#if defined(__linux__)
  if (mapped_ != 0) {
    munmap(mapping_, mapped_);
    return;
  }
#endif
  if (mapping_ != nullptr) ::operator delete (mapping_, std::align_val_t{64});
}

Memory::Memory(Memory&& other) noexcept { *this = std::move(other); }

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

}  // namespace crossover
