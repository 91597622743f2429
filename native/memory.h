// Aligned memory whose size is judged before it is asked for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace crossover {

/// Bytes that can still be allocated: the smaller of the machine's available memory and what the control
/// group has left. Elsewhere than on Linux, the machine's physical memory.
int64_t availableMemory();
/// Physical memory of the machine in bytes.
int64_t physicalMemory();

/// A zeroed block, 64-byte aligned (2 MiB, with huge pages, from 4 MiB up). Owned; movable.
class Memory {
 public:
  Memory() = default;
  /// Throws Error with code `memory` that states the bytes needed and available. `what` names the block.
  Memory(int64_t bytes, const char* what);
  ~Memory();
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  uint8_t* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  int64_t size_ = 0;
  void* mapping_ = nullptr;  // what munmap or free receives
  std::size_t mapped_ = 0;   // 0: from aligned allocation
};

/// Throws Error `memory` unless `bytes` can be had now.
void requireMemory(int64_t bytes, const char* what);

}  // namespace crossover
