// Runs instruction ranges, one at a time, on a thread of their own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "backend.h"

namespace crossover {

struct RunReport {
  int64_t totalNs = 0;
  double phaseNs[kPhases] = {};
  std::vector<double> instructionNs;  // of the range
};

/// Runs instructions [start, end). Throws Error `cancelled` when `cancel` was seen, `data` from kernels.
RunReport runInstructions(const Program& program, PreparedProgram& prepared, std::size_t start,
                          std::size_t end, const std::atomic<bool>& cancel);

/// One thread that runs jobs in order. OpenMP keeps its team per calling thread, so all runs share this one.
class Worker {
 public:
  using Job = std::function<void()>;
  ~Worker();
  /// Jobs must not throw.
  void submit(Job job);
  /// Lets queued jobs finish, then ends the thread. `join` waits for that.
  void stop();
  void join();
  bool finished() const { return finished_.load(); }

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::thread thread_;
  bool stopping_ = false;
  std::atomic<bool> finished_{false};
};

}  // namespace crossover
