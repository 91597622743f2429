// Threads, scratch memory and cancellation, as kernels see them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#ifndef CROSSOVER_ARCH
#define CROSSOVER_ARCH portable
#endif

namespace crossover {

/// What stopped a kernel on bad data (an out-of-range index or target). The first one wins.
struct Failure {
  std::atomic<int64_t> value{0};
  std::atomic<const char*> what{nullptr};  // static text such as "target"
};

/// State of a run that kernels share. Made by the executor; kernels only read it, apart from the atomics.
struct Context {
  int threads;
  const std::atomic<bool>* cancel;
  Failure* failure;
  /// Grows the shared scratch block. Call it outside parallel regions, at most once per kernel; see
  /// `scratch`.
  void* (*grow)(void* owner, std::size_t bytes);
  void* owner;

  /// True when the kernel should return soon; its output then does not matter. Look at it in outer loops:
  /// every stretch of more than about 20 ms of work needs one look.
  bool stopped() const {
    return cancel->load(std::memory_order_relaxed) ||
           failure->what.load(std::memory_order_relaxed) != nullptr;
  }
  /// Records bad data; the program stops after this kernel.
  void fail(const char* what, int64_t value) const {
    const char* none = nullptr;
    failure->value.store(value, std::memory_order_relaxed);
    failure->what.compare_exchange_strong(none, what);
  }
  /// `perThread` bytes for each of `threads`, 64-byte aligned; thread t uses scratch + t * stride where
  /// stride is `perThread` rounded up to 64. Contents are undefined. Valid until the kernel returns. Call it
  /// once per kernel, outside parallel regions; throws when there is no memory.
  char* scratch(std::size_t perThread) const {
    return static_cast<char*>(grow(owner, scratchStride(perThread) * static_cast<std::size_t>(threads)));
  }
  static std::size_t scratchStride(std::size_t perThread) {
    return (perThread + 63) & ~static_cast<std::size_t>(63);
  }
};

/// Runs body(environment, begin, end, thread) over [0, n) in pieces of at most `grain`, handed out
/// dynamically. Stops handing out once the context is stopped. Pieces are the same whatever the number of
/// threads.
void parallelPieces(const Context& context, int64_t n, int64_t grain,
                    void (*body)(const void*, int64_t, int64_t, int), const void* environment);
/// One contiguous range per thread: thread t gets [n t / threads, n (t + 1) / threads).
void parallelRanges(const Context& context, int64_t n, void (*body)(const void*, int64_t, int64_t, int),
                    const void* environment);

// The templates below live in the namespace of the instruction set, so that the linker never mixes their
// copies.
namespace CROSSOVER_ARCH {

template <class F>
inline void callBody(const void* f, int64_t begin, int64_t end, int thread) {
  (*static_cast<const F*>(f))(begin, end, thread);
}

/// fn(begin, end, thread), dynamic pieces of `grain`.
template <class F>
inline void parallelFor(const Context& context, int64_t n, int64_t grain, const F& fn) {
  parallelPieces(context, n, grain, &callBody<F>, &fn);
}

/// fn(begin, end, thread), one range per thread (for per-thread partial sums).
template <class F>
inline void parallelStatic(const Context& context, int64_t n, const F& fn) {
  parallelRanges(context, n, &callBody<F>, &fn);
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
