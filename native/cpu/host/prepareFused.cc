// Plans for `fused`: collapse the space, choose blocks, number values, place registers.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>

#include "../../errors.h"
#include "../fused.h"
#include "prepare.h"

namespace crossover {
namespace {

constexpr int64_t kPartials = 32;  // parts a long reduction is split into

class Planner {
 public:
  explicit Planner(const Site& site) : site_(site), ints_(site.instruction.ints) {}

  std::shared_ptr<FusedPlan> build() {
    plan_.integer = ints_[0] == 1;
    outputs_ = static_cast<std::size_t>(ints_[1]);
    inputs_ = site_.instruction.operands.size() - outputs_;
    readOperands();
    readCode();
    arrangeDims();
    chooseBlocks();
    makeLoops();
    markInPlace();
    placeRegisters();
    return std::make_shared<FusedPlan>(std::move(plan_));
  }

 private:
  /// One dimension of the space before and after collapsing.
  struct Dim {
    int64_t size;
    bool reduced, pinned;
    std::vector<int64_t> strides;  // per operand, outputs first
    int original;
  };

  const TensorRef& tensor(std::size_t i) const { return *site_.tensor(i); }

  void readOperands() {
    const TensorRef& space = tensor(0);
    for (std::size_t i = 0; i < outputs_ + inputs_; ++i) {
      FusedOperand operand{site_.data<void>(i), tensor(i).storage, {}, -1, false};
      if (i < outputs_) {
        const int64_t* header = &ints_[3 + 3 * i];
        plan_.outputs.push_back({operand, static_cast<int>(header[0]), -1, header[2] != 0, false, 0});
        plan_.reduces = plan_.reduces || header[0] != 0;
      } else {
        plan_.inputs.push_back(operand);
      }
    }
    for (int d = 0; d < space.rank; ++d) {
      if (space.shape[d] == 1) continue;
      Dim dim{space.shape[d], plan_.reduces && (ints_[2] >> d & 1) != 0, false, {}, d};
      for (std::size_t i = 0; i < outputs_ + inputs_; ++i) dim.strides.push_back(tensor(i).strides[d]);
      dims_.push_back(dim);
    }
  }

  /// Numbers every definition, so that a register that is written twice becomes two values.
  void readCode() {
    std::vector<int> current(kMaxRegisters, -1);
    for (std::size_t i = 0; i < inputs_; ++i) {
      current[i] = static_cast<int>(i);
      plan_.values.push_back({FusedValueKind::input, static_cast<int>(i), 0});
    }
    const auto& floats = site_.instruction.floats;
    const int firstImmediate = static_cast<int>(plan_.values.size());
    for (std::size_t i = 0; i < floats.size(); ++i) {
      plan_.values.push_back({FusedValueKind::immediate, static_cast<int>(i), floats[i]});
    }
    const auto value = [&](int64_t r) {
      return r >= kFirstImmediate ? firstImmediate + static_cast<int>(r - kFirstImmediate)
                                  : current[static_cast<std::size_t>(r)];
    };
    static constexpr int kArity[] = {
#define CROSSOVER_ARITY(name, arity, integer) arity,
        CROSSOVER_FUSED_OPS(CROSSOVER_ARITY)
#undef CROSSOVER_ARITY
    };
    for (std::size_t pc = 3 + 3 * outputs_; pc < ints_.size(); pc += 5) {
      FusedStep step{
          static_cast<FusedOp>(ints_[pc]), static_cast<int>(plan_.values.size()), {-1, -1, -1}, -1, -1};
      if (step.op == FusedOp::index) {
        step.operand[0] = pin(static_cast<int>(ints_[pc + 2]));
      } else {
        for (int a = 0; a < kArity[ints_[pc]]; ++a) {
          step.operand[a] = value(ints_[pc + 2 + static_cast<std::size_t>(a)]);
        }
        simplify(step);
      }
      plan_.values.push_back({FusedValueKind::step, static_cast<int>(plan_.steps.size()), 0});
      current[static_cast<std::size_t>(ints_[pc + 1])] = step.result;
      plan_.steps.push_back(step);
    }
    for (std::size_t i = 0; i < outputs_; ++i) plan_.outputs[i].value = value(ints_[4 + 3 * i]);
  }

  /// Powers with a simple exponent.
  void simplify(FusedStep& step) const {
    if (step.op != FusedOp::pow || plan_.integer) return;
    const FusedValue& exponent = plan_.values[static_cast<std::size_t>(step.operand[1])];
    if (exponent.kind != FusedValueKind::immediate) return;
    const auto to = [&](FusedOp op) { step.op = op, step.operand[1] = -1; };
    if (exponent.number == 2)
      to(FusedOp::square);
    else if (exponent.number == 1)
      to(FusedOp::copy);
    else if (exponent.number == -1)
      to(FusedOp::reciprocal);
  }

  /// A dimension whose position is asked for keeps its identity. Returns its original number, or -1.
  int pin(int original) {
    for (Dim& dim : dims_) {
      if (dim.original == original) {
        dim.pinned = true;
        return original;
      }
    }
    return -1;
  }

  /// How well dimension d serves as the innermost one.
  double innerScore(const Dim& dim) const {
    double score = 0;
    for (std::size_t i = 0; i < dim.strides.size(); ++i) {
      const double weight = i < outputs_ ? 1.5 : 1.0;
      if (dim.strides[i] == 1)
        score += 2 * weight;
      else if (dim.strides[i] != 0)
        score -= 2 * weight;
    }
    return dim.size >= 8 ? score : score - 3;
  }

  void arrangeDims() {
    if (dims_.empty()) dims_.push_back({1, false, false, std::vector<int64_t>(outputs_ + inputs_, 0), -1});
    // Outer to inner by the largest stride any operand has there; the best inner dimension goes last.
    const auto reach = [](const Dim& dim) {
      int64_t most = 0;
      for (int64_t stride : dim.strides) most = std::max(most, std::abs(stride));
      return most;
    };
    std::stable_sort(dims_.begin(), dims_.end(),
                     [&](const Dim& a, const Dim& b) { return reach(a) > reach(b); });
    std::size_t inner = dims_.size() - 1;
    for (std::size_t d = dims_.size(); d-- > 0;) {
      if (innerScore(dims_[d]) > innerScore(dims_[inner])) inner = d;
    }
    std::rotate(dims_.begin() + static_cast<std::ptrdiff_t>(inner),
                dims_.begin() + static_cast<std::ptrdiff_t>(inner) + 1, dims_.end());
    for (std::size_t d = dims_.size() - 1; d-- > 0;) {
      if (mergeable(dims_[d], dims_[d + 1])) {
        dims_[d + 1].size *= dims_[d].size;
        dims_.erase(dims_.begin() + static_cast<std::ptrdiff_t>(d));
      }
    }
    plan_.rank = static_cast<int>(dims_.size());
    for (std::size_t d = 0; d < dims_.size(); ++d) {
      plan_.shape[d] = dims_[d].size;
      plan_.reduced[d] = dims_[d].reduced;
      for (std::size_t i = 0; i < outputs_; ++i) plan_.outputs[i].place.stride[d] = dims_[d].strides[i];
      for (std::size_t i = 0; i < inputs_; ++i) plan_.inputs[i].stride[d] = dims_[d].strides[outputs_ + i];
    }
    for (FusedStep& step : plan_.steps) {
      if (step.op != FusedOp::index || step.operand[0] < 0) continue;
      for (std::size_t d = 0; d < dims_.size(); ++d) {
        if (dims_[d].original == step.operand[0] && dims_[d].pinned) {
          step.operand[0] = static_cast<int>(d);
          break;
        }
      }
    }
  }

  static bool mergeable(const Dim& outer, const Dim& inner) {
    if (outer.pinned || inner.pinned || outer.reduced != inner.reduced) return false;
    for (std::size_t i = 0; i < outer.strides.size(); ++i) {
      if (outer.strides[i] != inner.strides[i] * inner.size) return false;
    }
    return true;
  }

  int64_t blockElements() const {
    const std::size_t live = plan_.steps.size() + inputs_;
    const int64_t elements = live > 24 ? 512 : live > 3 ? 1024 : 2048;
    return plan_.integer ? elements / 2 : elements;
  }

  void chooseBlocks() {
    const int last = plan_.rank - 1;
    plan_.columnDim = last;
    plan_.rowDim = last - 1;
    const int64_t most = blockElements();
    int transposedDim = -1;
    for (const FusedOperand& input : plan_.inputs) {
      if (input.stride[last] == 0 || input.stride[last] == 1) continue;
      for (int d = 0; d < last; ++d) {
        if (input.stride[d] == 1 && plan_.shape[d] >= 8) transposedDim = d;
      }
    }
    for (const FusedOutput& output : plan_.outputs) {
      if (output.place.stride[last] == 0 || output.place.stride[last] == 1 || output.reduction != 0) continue;
      for (int d = 0; d < last; ++d) {
        if (output.place.stride[d] == 1 && plan_.shape[d] >= 8) transposedDim = d;
      }
    }
    const int64_t columns = plan_.shape[last];
    if (transposedDim >= 0) {
      plan_.transposed = true;
      plan_.rowDim = transposedDim;
      plan_.blockColumns = std::min<int64_t>(columns, 32);
      plan_.blockRows = std::min(plan_.shape[transposedDim], std::max<int64_t>(1, most / plan_.blockColumns));
      return;
    }
    plan_.blockColumns = std::min(columns, most);
    const bool whole = plan_.blockColumns == columns;
    plan_.blockRows = plan_.rowDim < 0 ? 1
                      : whole && columns > 0
                          ? std::min(plan_.shape[plan_.rowDim], std::max<int64_t>(1, most / columns))
                          : 1;
  }

  void makeLoops() {
    plan_.tiles = plan_.blocksPerTile = 1;
    plan_.accumulators = 0;
    for (int d = 0; d < plan_.rank; ++d) {
      const int64_t step = d == plan_.columnDim ? plan_.blockColumns
                           : d == plan_.rowDim  ? plan_.blockRows
                                                : 1;
      const FusedLoop loop{step == 0 ? 0 : (plan_.shape[d] + step - 1) / step, step, d};
      if (plan_.reduced[d]) {
        plan_.reduceLoops.push_back(loop);
        plan_.blocksPerTile *= loop.count;
      } else {
        plan_.tileLoops.push_back(loop);
        plan_.tiles *= loop.count;
      }
    }
    const int64_t keptRows = plan_.rowDim >= 0 && !plan_.reduced[plan_.rowDim] ? plan_.blockRows : 1;
    const int64_t keptColumns = plan_.reduced[plan_.columnDim] ? 1 : plan_.blockColumns;
    for (FusedOutput& output : plan_.outputs) {
      if (output.reduction == 0) continue;
      output.accumulator = plan_.accumulators;
      plan_.accumulators += keptRows * keptColumns;
    }
    plan_.chunks = 1;
    if (plan_.reduces && plan_.tiles > 0 && plan_.tiles < kPartials) {
      plan_.chunks = std::max<int64_t>(1, std::min(plan_.blocksPerTile, kPartials / plan_.tiles));
    }
    if (plan_.chunks > 1) {
      plan_.partials.resize(static_cast<std::size_t>(plan_.chunks * plan_.tiles * plan_.accumulators) *
                            (plan_.integer ? 8 : 4));
    }
  }

  bool blockContiguous(const FusedOperand& operand) const {
    const Storage lane = plan_.integer ? Storage::i64 : Storage::f32;
    if (operand.storage != lane || (operand.stride[plan_.columnDim] != 1 && plan_.blockColumns > 1))
      return false;
    return plan_.blockRows == 1 || (operand.stride[plan_.rowDim] == plan_.blockColumns &&
                                    plan_.blockColumns == plan_.shape[plan_.columnDim]);
  }

  /// Inputs that are read, and outputs that are written, where they are.
  void markInPlace() {
    for (FusedOperand& input : plan_.inputs) input.inPlace = blockContiguous(input);
    for (std::size_t o = 0; o < outputs_; ++o) {
      FusedOutput& output = plan_.outputs[o];
      const FusedValue& value = plan_.values[static_cast<std::size_t>(output.value)];
      if (output.reduction != 0 || output.accumulate || !blockContiguous(output.place)) continue;
      if (value.kind != FusedValueKind::step) continue;
      FusedStep& step = plan_.steps[static_cast<std::size_t>(value.index)];
      if (step.output >= 0 || readLater(output.place, static_cast<std::size_t>(value.index))) continue;
      step.output = static_cast<int>(o);
      output.direct = true;
    }
  }

  /// Whether an input that starts where `place` does is read after step `at`, or stored by an output.
  bool readLater(const FusedOperand& place, std::size_t at) const {
    for (std::size_t i = 0; i < inputs_; ++i) {
      if (plan_.inputs[i].data != place.data) continue;
      for (std::size_t s = at + 1; s < plan_.steps.size(); ++s) {
        for (int operand : plan_.steps[s].operand) {
          if (plan_.steps[s].op != FusedOp::index && operand == static_cast<int>(i)) return true;
        }
      }
      for (const FusedOutput& output : plan_.outputs) {
        if (output.value == static_cast<int>(i)) return true;
      }
    }
    return false;
  }

  /// Slots by last use: a slot is free again after the last step that reads its value. Inputs keep theirs,
  /// since their contents are kept from block to block while their address does not change.
  void placeRegisters() {
    std::vector<int> lastUse(plan_.values.size(), -1);
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      if (plan_.steps[s].op == FusedOp::index) continue;
      for (int operand : plan_.steps[s].operand) {
        if (operand >= 0) lastUse[static_cast<std::size_t>(operand)] = static_cast<int>(s);
      }
    }
    const int never = static_cast<int>(plan_.steps.size());
    for (const FusedOutput& output : plan_.outputs) lastUse[static_cast<std::size_t>(output.value)] = never;
    for (std::size_t i = 0; i < inputs_; ++i) {
      if (lastUse[i] >= 0 && !plan_.inputs[i].inPlace)
        plan_.inputs[i].slot = plan_.slots++;
      else if (lastUse[i] < 0)
        plan_.inputs[i].slot = -1;
    }
    std::vector<int> open;
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      FusedStep& step = plan_.steps[s];
      if (step.output < 0) {
        if (open.empty()) {
          step.slot = plan_.slots++;
        } else {
          step.slot = open.back();
          open.pop_back();
        }
      }
      // A result that nobody reads frees its slot at once; operands free theirs after their last step.
      // Element-wise loops may write over what they read, so the order does not matter within a step.
      if (lastUse[static_cast<std::size_t>(step.result)] < 0 && step.slot >= 0) open.push_back(step.slot);
      if (step.op == FusedOp::index) continue;
      for (int a = 0; a < 3; ++a) {
        const int operand = step.operand[a];
        if (operand < 0 || lastUse[static_cast<std::size_t>(operand)] != static_cast<int>(s)) continue;
        const FusedValue& value = plan_.values[static_cast<std::size_t>(operand)];
        const bool repeated = (a > 0 && operand == step.operand[0]) || (a > 1 && operand == step.operand[1]);
        if (value.kind != FusedValueKind::step || repeated) continue;
        const int slot = plan_.steps[static_cast<std::size_t>(value.index)].slot;
        if (slot >= 0) open.push_back(slot);
      }
    }
  }

  const Site& site_;
  const std::vector<int64_t>& ints_;
  std::size_t outputs_ = 0, inputs_ = 0;
  std::vector<Dim> dims_;
  FusedPlan plan_{};
};

}  // namespace

Call prepareFused(const Site& site) {
  std::shared_ptr<FusedPlan> plan = Planner(site).build();
  return
      [plan, kernel = site.kernels.fused](const Context& context) { kernel(context, FusedArgs{plan.get()}); };
}

}  // namespace crossover
