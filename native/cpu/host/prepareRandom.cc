// Random fills and dropout.
#include "prepare.h"
#include "random.h"

namespace crossover {

Call prepareRandom(const Site& site) {
  Random* random = &site.random;
  const KernelTable* kernels = &site.kernels;
  const auto& reals = site.instruction.floats;
  const auto& ints = site.instruction.ints;
  const TensorRef* tensor = site.tensor(0);
  const int64_t n = tensor == nullptr ? 0 : tensor->elements();
  float* out = site.data(0);
  auto* longs = site.data<int64_t>(0);
  switch (site.instruction.opcode) {
    case Opcode::rng_seed:
      return [=](const Context&) { random->seed(static_cast<uint64_t>(ints[0])); };
    case Opcode::rng_normal:
      return [=](const Context& context) {
        random->normal(*kernels, context, out, n, reals[0], reals[1], ints[0] != 0);
      };
    case Opcode::rng_uniform:
      return [=](const Context& context) { random->uniform(context, out, n, reals[0], reals[1]); };
    case Opcode::rng_trunc_normal:
      return [=](const Context& context) {
        random->truncNormal(*kernels, context, out, n, reals[0], reals[1], reals[2], reals[3]);
      };
    case Opcode::rng_orthogonal: {
      const int64_t rows = site.size(0, 0), columns = site.size(0, 1);
      return [=](const Context& context) {
        random->orthogonal(*kernels, context, out, rows, columns, reals[0]);
      };
    }
    case Opcode::rng_randint:
      return [=](const Context& context) { random->randint(context, longs, n, ints[0], ints[1]); };
    case Opcode::rng_randperm:
      return [=](const Context& context) { random->randperm(context, longs, n); };
    case Opcode::rng_bernoulli: {
      const float* probabilities = site.data(1);
      return [=](const Context& context) { random->bernoulli(context, out, n, probabilities, reals[0]); };
    }
    case Opcode::rng_skip:
      return [=](const Context& context) { random->skip(context, ints[0], ints[1] != 0); };
    default: {
      DropoutArgs args{out, site.data<uint8_t>(1), site.data(2), n, reals[0], 0, 0};
      return [=](const Context& context) mutable {
        args.key = random->counterKey();
        args.first = random->takeCounters(static_cast<uint64_t>(n));
        kernels->dropout(context, args);
      };
    }
  }
}

}  // namespace crossover
