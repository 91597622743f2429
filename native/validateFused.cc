// What element-wise instructions ask of their code and operands.
#include "check.h"
#include "cpu/fusedOps.h"

namespace crossover {
namespace {

struct FusedRow {
  int arity;
  bool integer;
};
const FusedRow kFusedRows[] = {
#define CROSSOVER_ROW(name, arity, integer) {arity, integer != 0},
    CROSSOVER_FUSED_OPS(CROSSOVER_ROW)
#undef CROSSOVER_ROW
};

}  // namespace

void Check::fused() const {
  const auto& ints = in_.ints;
  const std::size_t operandCount = in_.operands.size();
  need(ints.size() >= 3, "lacks its header");
  need(ints[0] == 0 || ints[0] == 1, "has an unknown lane");
  need(ints[1] >= 1 && ints[1] <= static_cast<int64_t>(operandCount), "has no outputs");
  const auto outputs = static_cast<std::size_t>(ints[1]);
  const auto inputs = operandCount - outputs;
  need(inputs <= static_cast<std::size_t>(kMaxRegisters), "has too many inputs");
  need(ints.size() >= 3 + 3 * outputs && (ints.size() - 3 - 3 * outputs) % 5 == 0, "has torn code");
  const TensorRef& space = at(0);
  need(ints[2] >= 0 && ints[2] < (int64_t{1} << space.rank), "reduces a dimension that is not there");
  for (std::size_t i = 1; i < operandCount; ++i) {
    need(sameShape(at(i), space), "has operands of different iteration spaces");
  }
  std::vector<bool> defined(kMaxRegisters, false);
  for (std::size_t i = 0; i < inputs; ++i) defined[i] = true;
  const auto immediates = static_cast<int64_t>(in_.floats.size());
  const auto readable = [&](int64_t r) {
    return r >= kFirstImmediate ? r - kFirstImmediate < immediates
                                : r >= 0 && r < kMaxRegisters && defined[static_cast<std::size_t>(r)];
  };
  for (std::size_t pc = 3 + 3 * outputs; pc < ints.size(); pc += 5) {
    need(ints[pc] >= 0 && ints[pc] < static_cast<int64_t>(FusedOp::count),
         "has an unknown element-wise operation");
    const FusedRow row = kFusedRows[ints[pc]];
    need(ints[0] == 0 || row.integer, "uses a real function on integers");
    need(ints[pc + 1] >= 0 && ints[pc + 1] < kMaxRegisters, "writes a register that is not there");
    for (int a = 0; a < row.arity; ++a)
      need(readable(ints[pc + 2 + static_cast<std::size_t>(a)]), "reads an unset register");
    if (static_cast<FusedOp>(ints[pc]) == FusedOp::index) {
      need(ints[pc + 2] >= 0 && ints[pc + 2] < space.rank, "takes an index of a dimension that is not there");
    }
    defined[static_cast<std::size_t>(ints[pc + 1])] = true;
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    const int64_t reduction = ints[3 + 3 * i];
    need(reduction >= 0 && reduction <= 4, "has an unknown reduction");
    need(readable(ints[4 + 3 * i]), "stores an unset register");
    need(ints[5 + 3 * i] == 0 || (ints[5 + 3 * i] == 1 && reduction <= 1),
         "accumulates something other than a sum");
    const TensorRef& out = at(i);
    for (int d = 0; d < space.rank; ++d) {
      const bool reduced = reduction != 0 && (ints[2] >> d & 1) != 0;
      if (space.shape[d] <= 1) continue;
      need(reduced == (out.strides[d] == 0), "has an output whose strides do not fit its reduction");
    }
    for (std::size_t j = outputs; j < operandCount; ++j) apart(i, j, reduction == 0);
  }
}

}  // namespace crossover
