// Dropout: the mask comes from a counter-based generator (the splitmix64 finalizer over key and index), so
// that it does not depend on threads.
#include "kernels.h"

namespace crossover::CROSSOVER_ARCH {

void dropout(const Context& context, const DropoutArgs& args) {
  const double keep = 1.0 - args.p;
  const float scale = keep > 0 ? static_cast<float>(1.0 / keep) : 0.0f;
  const auto limit = static_cast<int64_t>(keep * 4294967296.0);
  parallelFor(context, args.n, 1 << 15, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      uint64_t z = args.key + (args.first + static_cast<uint64_t>(i)) * 0x9e3779b97f4a7c15u;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      const bool one = static_cast<int64_t>((z ^ (z >> 31)) >> 32) < limit;
      args.mask[i] = one ? 1 : 0;
      args.out[i] = one ? args.x[i] * scale : 0.0f;
    }
  });
}

}  // namespace crossover::CROSSOVER_ARCH
