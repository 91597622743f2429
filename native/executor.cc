// The run loop and its thread.
#include "executor.h"

#include <chrono>
#include <utility>

#include "errors.h"

namespace crossover {

RunReport runInstructions(const Program& program, PreparedProgram& prepared, std::size_t start,
                          std::size_t end, const std::atomic<bool>& cancel) {
  using Clock = std::chrono::steady_clock;
  RunReport report;
  report.instructionNs.resize(end - start);
  const Clock::time_point begin = Clock::now();
  Clock::time_point before = begin;
  for (std::size_t i = start; i < end; ++i) {
    if (!cancel.load(std::memory_order_relaxed)) prepared.run(i, cancel);
    if (cancel.load(std::memory_order_relaxed)) throw Error("cancelled", "The run was cancelled.");
    const Clock::time_point after = Clock::now();
    const auto ns = static_cast<double>(std::chrono::nanoseconds(after - before).count());
    report.instructionNs[i - start] = ns;
    report.phaseNs[program.instructions[i].phase] += ns;
    before = after;
  }
  report.totalNs = std::chrono::nanoseconds(before - begin).count();
  return report;
}

Worker::~Worker() {
  stop();
  join();
}

void Worker::submit(Job job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  jobs_.push_back(std::move(job));
  if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
  changed_.notify_one();
}

void Worker::stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  if (!thread_.joinable()) finished_ = true;
  changed_.notify_one();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
  finished_ = true;
}

}  // namespace crossover
