// What a device must offer to run programs. `cpu/host/backend.cc` is one; nothing else knows kernels.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "program.h"

namespace crossover {

class Random;

/// First byte of each segment.
struct Segments {
  uint8_t* base[kSegments];
};

/// A program made ready: kernels chosen, descriptors created, pointers resolved.
class PreparedProgram {
 public:
  virtual ~PreparedProgram() = default;
  /// Runs one instruction to its end. Returns early when `cancel` becomes true. Throws Error `data` on bad
  /// indices.
  virtual void run(std::size_t instruction, const std::atomic<bool>& cancel) = 0;
};

/// Prepares programs for one device.
class Backend {
 public:
  virtual ~Backend() = default;
  /// `program` and the segments outlive the result. `random` is the session's generator.
  virtual std::unique_ptr<PreparedProgram> prepare(const Program& program, const Segments& segments,
                                                   Random& random) = 0;
};

/// The CPU back end for `threads` threads; 0 means one per core.
std::unique_ptr<Backend> makeCpuBackend(int threads);

struct CpuDescription {
  const char* instructionSet;
  int threads;
  bool bf16;
  const char* oneDnn;  // null: the portable matrix product serves
};
CpuDescription describeCpu();

}  // namespace crossover
