// Gradient norm and AdamW over many tensors in one call.
#include <memory>
#include <vector>

#include "prepare.h"

namespace crossover {

Call prepareOptimizer(const Site& site) {
  auto tensors = std::make_shared<std::vector<AdamTensor>>();
  const std::size_t count = site.instruction.operands.size();
  if (site.instruction.opcode == Opcode::grad_norm) {
    for (std::size_t i = 1; i < count; ++i) {
      tensors->push_back({nullptr, site.data(i), nullptr, nullptr, site.tensor(i)->elements()});
    }
    const NormSquaredArgs args{tensors->data(), static_cast<int64_t>(tensors->size()), site.data(0)};
    return [args, tensors, kernel = site.kernels.gradNorm](const Context& context) { kernel(context, args); };
  }
  for (std::size_t i = 2; i + 3 < count; i += 4) {
    tensors->push_back(
        {site.data(i), site.data(i + 1), site.data(i + 2), site.data(i + 3), site.tensor(i)->elements()});
  }
  const AdamArgs args{tensors->data(), static_cast<int64_t>(tensors->size()),
                      site.data(0),    site.data(1),
                      site.real(0),    site.real(1),
                      site.real(2),    site.real(3),
                      site.real(4)};
  return [args, tensors, kernel = site.kernels.adamw](const Context& context) { kernel(context, args); };
}

}  // namespace crossover
