// Threads of the CPU back end: OpenMP teams.
#include "../parallel.h"

#include <algorithm>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace crossover {
namespace {

int teamThread() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

}  // namespace

void parallelPieces(const Context& context, int64_t n, int64_t grain,
                    void (*body)(const void*, int64_t, int64_t, int), const void* environment) {
  grain = std::max<int64_t>(grain, 1);
  const int64_t pieces = (n + grain - 1) / grain;
  const int team = static_cast<int>(std::min<int64_t>(pieces, context.threads));
  if (team <= 1) {
    for (int64_t begin = 0; begin < n && !context.stopped(); begin += grain) {
      body(environment, begin, std::min(n, begin + grain), 0);
    }
    return;
  }
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(team)
  {
    const int thread = teamThread();
    while (!context.stopped()) {
      const int64_t piece = next.fetch_add(1, std::memory_order_relaxed);
      if (piece >= pieces) break;
      body(environment, piece * grain, std::min(n, (piece + 1) * grain), thread);
    }
  }
}

void parallelRanges(const Context& context, int64_t n, void (*body)(const void*, int64_t, int64_t, int),
                    const void* environment) {
  const int64_t team = context.threads;
  if (team <= 1) {
    body(environment, 0, n, 0);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(team))
  for (int64_t t = 0; t < team; ++t) {
    const int64_t begin = n * t / team, end = n * (t + 1) / team;
    if (begin < end) body(environment, begin, end, static_cast<int>(t));
  }
}

}  // namespace crossover
