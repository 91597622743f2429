// Ownership, without Node: a session owns states and programs; a program uses one state.
//
// All of this is used from one thread (the JavaScript thread). What a run needs is held by shared pointer, so
// that a dispose during a run cancels it and frees memory when it ends.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "backend.h"
#include "cpu/host/random.h"
#include "errors.h"
#include "executor.h"
#include "memory.h"

namespace crossover {

/// Memory of one model's state, and how many runs use it now.
struct StateBlock {
  explicit StateBlock(int64_t bytes) : memory(bytes, "state of the model") {}
  Memory memory;
  std::atomic<int> runs{0};
};

/// A loaded program with its memory.
struct LoadedProgram {
  Program program;
  std::shared_ptr<StateBlock> state;
  Memory arena, io;
  std::unique_ptr<PreparedProgram> prepared;
  std::atomic<bool> cancel{false}, running{false};
};

/// How a run ended. `error` is null when it went well.
struct RunOutcome {
  RunReport report;
  std::unique_ptr<Error> error;
};

class Session {
 public:
  /// `threads` 0: one per core.
  explicit Session(int threads);

  std::shared_ptr<StateBlock> createState(int64_t bytes);
  /// Parses, validates, allocates arena and io, prepares kernels.
  std::shared_ptr<LoadedProgram> load(const uint8_t* bytes, std::size_t length,
                                      std::shared_ptr<StateBlock> state);
  /// Starts a run; `done` is called on the worker thread, always. Throws Error `busy`, `disposed` (after
  /// `stop`) or `program` (bad range).
  void run(const std::shared_ptr<LoadedProgram>& program, std::size_t start, std::size_t end,
           std::function<void(RunOutcome)> done);
  /// Restarts the generator. Throws `busy` during a run.
  void seed(uint64_t seed);

  /// Cancels all runs and ends the worker once they have. Idempotent.
  void stop();
  /// Waits for the worker.
  void join() { worker_.join(); }
  bool finished() const { return worker_.finished(); }

 private:
  std::unique_ptr<Backend> backend_;
  Random random_;
  std::vector<std::weak_ptr<LoadedProgram>> programs_;
  std::atomic<int> runs_{0};
  bool stopped_ = false;
  Worker worker_;  // last: joined before what its jobs use goes away
};

/// Bytes [offset, offset + length) of a segment, or throws Error `program`; `busy` while `runs` is not zero.
uint8_t* segmentBytes(const Memory& memory, int64_t offset, int64_t length, int runs);

}  // namespace crossover
