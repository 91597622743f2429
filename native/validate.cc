// A program is checked once, when it is loaded, against what every opcode asks of its operands
// (signatures.h).
#include <cctype>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cpu/fusedOps.h"
#include "errors.h"
#include "program.h"
#include "signatures.h"

namespace crossover {
namespace {

static_assert(sizeof kSignatures / sizeof kSignatures[0] == static_cast<int>(Opcode::count),
              "a row per opcode");

/// One operand of a signature.
struct Slot {
  char kind = 0, layout = 0;
  bool optional = false, repeated = false, output = false;
  std::string shape;
};

std::vector<Slot> parseSignature(const char* text) {
  std::vector<Slot> slots;
  std::istringstream stream(text);
  std::string token;
  bool output = true;
  while (stream >> token) {
    if (token == "|") {
      output = false;
      continue;
    }
    Slot slot;
    std::size_t at = 0;
    slot.output = output;
    slot.kind = token[at++];
    if (token[at] == '?') slot.optional = true, ++at;
    if (token[at] == '+') slot.repeated = true, ++at;
    slot.layout = token[at++];
    slot.shape = token.substr(at);
    slots.push_back(slot);
  }
  return slots;
}

/// Checks of one instruction; every failure names it.
class Check {
 public:
  Check(const Program& program, std::size_t index)
      : program_(program), in_(program.instructions[index]), index_(index) {}

  void all() {
    const Signature& signature = kSignatures[static_cast<int>(in_.opcode)];
    attributes(signature);
    operands(parseSignature(signature.operands));
    specific();
  }

 private:
  [[noreturn]] void bad(const std::string& why) const {
    throw Error("program",
                "Instruction " + std::to_string(index_) + " (" + opcodeName(in_.opcode) + ") " + why + ".");
  }
  void need(bool condition, const char* why) const {
    if (!condition) bad(why);
  }
  const TensorRef* operand(std::size_t i) const {
    if (i >= in_.operands.size() || in_.operands[i] < 0) return nullptr;
    return &program_.tensors[static_cast<std::size_t>(in_.operands[i])];
  }
  const TensorRef& at(std::size_t i) const { return *operand(i); }

  void attributes(const Signature& signature) const {
    if (signature.ints >= 0 && static_cast<int>(in_.ints.size()) != signature.ints) {
      bad("has " + std::to_string(in_.ints.size()) + " integers and needs " + std::to_string(signature.ints));
    }
    if (signature.floats >= 0 && static_cast<int>(in_.floats.size()) != signature.floats) {
      bad("has " + std::to_string(in_.floats.size()) + " floats and needs " +
          std::to_string(signature.floats));
    }
  }

  void operands(const std::vector<Slot>& slots) {
    const bool repeats = !slots.empty() && slots.back().repeated;
    if (!repeats && in_.operands.size() > slots.size()) bad("has too many operands");
    const std::size_t count = repeats ? std::max(in_.operands.size(), slots.size()) : slots.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Slot& slot = slots[std::min(i, slots.size() - 1)];
      const TensorRef* tensor = operand(i);
      if (tensor == nullptr) {
        if (!slot.optional) bad("lacks operand " + std::to_string(i));
        continue;
      }
      checkSlot(slot, *tensor, i);
    }
  }

  void checkSlot(const Slot& slot, const TensorRef& tensor, std::size_t i) {
    const std::string name = "operand " + std::to_string(i);
    const Storage s = tensor.storage;
    const bool f = s == Storage::f32, l = s == Storage::i64, u = s == Storage::u8;
    const bool fits = slot.kind == '*' || (slot.kind == 'f' && f) || (slot.kind == 'i' && l) ||
                      (slot.kind == 'u' && u) || (slot.kind == 'm' && (f || u)) ||
                      (slot.kind == 'n' && (f || l));
    if (!fits) bad("has the wrong element type in " + name);
    if (slot.layout == '=' && !tensor.contiguous()) bad("needs a contiguous " + name);
    const int last = tensor.rank - 1;
    if (slot.layout == '-' && last >= 0 && tensor.shape[last] > 1 && tensor.strides[last] != 1) {
      bad("needs " + name + " with a contiguous last dimension");
    }
    if (slot.output && in_.opcode != Opcode::fused) noSelfOverlap(tensor, name);
    if (slot.shape == "*") return;
    if (slot.shape == "1") {
      if (tensor.elements() != 1) bad("needs " + name + " of one element");
      return;
    }
    if (tensor.rank != static_cast<int>(slot.shape.size())) {
      bad("needs " + name + " of rank " + std::to_string(slot.shape.size()) + " [" + slot.shape + "]");
    }
    for (int d = 0; d < tensor.rank; ++d) {
      const auto [entry, fresh] = sizes_.emplace(slot.shape[static_cast<std::size_t>(d)], tensor.shape[d]);
      if (!fresh && entry->second != tensor.shape[d]) {
        bad("has " + name + " [" + slot.shape + "] with " + slot.shape[static_cast<std::size_t>(d)] + " = " +
            std::to_string(tensor.shape[d]) + " where another operand has " + std::to_string(entry->second));
      }
    }
  }

  void noSelfOverlap(const TensorRef& tensor, const std::string& name) const {
    for (int d = 0; d < tensor.rank; ++d) {
      if (tensor.shape[d] > 1 && tensor.strides[d] == 0) bad("writes " + name + ", whose elements overlap");
    }
  }

  static bool sameShape(const TensorRef& a, const TensorRef& b) {
    if (a.rank != b.rank) return false;
    for (int d = 0; d < a.rank; ++d) {
      if (a.shape[d] != b.shape[d]) return false;
    }
    return true;
  }
  static bool samePlace(const TensorRef& a, const TensorRef& b) {
    if (a.segment != b.segment || a.byteOffset != b.byteOffset || a.storage != b.storage ||
        !sameShape(a, b)) {
      return false;
    }
    for (int d = 0; d < a.rank; ++d) {
      if (a.shape[d] > 1 && a.strides[d] != b.strides[d]) return false;
    }
    return true;
  }
  /// Contiguous tensors share bytes. Interleaved views of one buffer are taken to be disjoint.
  static bool overlap(const TensorRef& a, const TensorRef& b) {
    if (a.segment != b.segment || !a.contiguous() || !b.contiguous()) return false;
    const int64_t aEnd = a.byteOffset + a.elements() * storageBytes(a.storage);
    const int64_t bEnd = b.byteOffset + b.elements() * storageBytes(b.storage);
    return a.byteOffset < bEnd && b.byteOffset < aEnd;
  }
  /// Output `i` shares no bytes with input `j`, unless it is the very same tensor and `same` allows that.
  void apart(std::size_t i, std::size_t j, bool same) const {
    const TensorRef *a = operand(i), *b = operand(j);
    if (a == nullptr || b == nullptr || a->elements() == 0) return;
    if (samePlace(*a, *b) ? !same : overlap(*a, *b)) {
      bad("writes operand " + std::to_string(i) + " over operand " + std::to_string(j) + ", which it reads");
    }
  }
  /// Outputs [0, outputs) are apart from inputs [outputs, n), except that output 0 may be the input `same`.
  void allApart(std::size_t outputs, std::size_t same = SIZE_MAX) const {
    for (std::size_t i = 0; i < outputs; ++i) {
      for (std::size_t j = outputs; j < in_.operands.size(); ++j) apart(i, j, i == 0 && j == same);
    }
  }
  void flag(std::size_t i) const {
    if (in_.ints[i] != 0 && in_.ints[i] != 1) bad("needs integer " + std::to_string(i) + " to be 0 or 1");
  }
  int dimension(std::size_t i, const TensorRef& tensor) const {
    if (in_.ints[i] < 0 || in_.ints[i] >= tensor.rank) bad("names dimension " + std::to_string(in_.ints[i]));
    return static_cast<int>(in_.ints[i]);
  }

  void specific() const {
    switch (in_.opcode) {
      case Opcode::constant:
        return constant();
      case Opcode::fused:
        return fused();
      case Opcode::matmul:
        return matmul();
      case Opcode::softmax:
      case Opcode::log_softmax:
        return allApart(1, 1);
      case Opcode::softmax_grad:
      case Opcode::log_softmax_grad:
        return allApart(1, 2);
      case Opcode::layer_norm:
        return norm(0, 4, 5), allApart(3, 3);
      case Opcode::layer_norm_grad:
        return norm(0, 7, 7), flag(1), flag(2), allApart(3, 3);
      case Opcode::cross_entropy:
        return crossEntropy(0, 3), allApart(2);
      case Opcode::cross_entropy_grad:
        return crossEntropy(4, 3), allApart(1, 1);
      case Opcode::attention:
        return attention(2, 3), allApart(2);
      case Opcode::attention_grad:
        return attention(4, 5), allApart(3);
      case Opcode::weighted_attention:
        return diagonals(), allApart(1);
      case Opcode::weighted_attention_grad:
        return diagonals(), weightedGradient(), allApart(4);
      case Opcode::wkv6:
        return saved(2, 0), allApart(3);
      case Opcode::wkv6_grad:
        return saved(8, 0), allApart(6);
      case Opcode::wkv7:
        return saved(2, 0), allApart(3);
      case Opcode::wkv7_grad:
        return saved(9, 0), allApart(7);
      case Opcode::gla:
        return gla(2, 3, 0, 6), allApart(3);
      case Opcode::gla_grad:
        return gla(7, 8, 10, 11), allApart(5);
      case Opcode::embedding:
        return allApart(1);
      case Opcode::embedding_grad:
        return flag(0), allApart(1);
      case Opcode::gather:
        return gather();
      case Opcode::scatter:
        return scatter();
      case Opcode::cumulate:
        return cumulate();
      case Opcode::arg_extreme:
        return argExtreme();
      case Opcode::top_k:
        return topK();
      case Opcode::grad_norm:
        return allApart(1);
      case Opcode::adamw:
        return adamw();
      case Opcode::dropout:
        need(sameShape(at(0), at(1)) && sameShape(at(0), at(2)), "has operands of different shapes");
        return probability(), allApart(2, 2);
      case Opcode::rng_normal:
        return flag(0);
      case Opcode::rng_randint:
        return need(in_.ints[0] < in_.ints[1], "needs low < high");
      case Opcode::rng_bernoulli:
        if (operand(1) != nullptr) need(sameShape(at(0), at(1)), "has operands of different shapes");
        return probability();
      case Opcode::rng_skip:
        return flag(1), need(in_.ints[0] >= 0, "needs a count >= 0");
      case Opcode::rng_seed:
      case Opcode::rng_uniform:
      case Opcode::rng_trunc_normal:
      case Opcode::rng_orthogonal:
      case Opcode::rng_randperm:
      case Opcode::count:
        return;
    }
  }

  void probability() const {
    need(in_.floats[0] >= 0 && in_.floats[0] <= 1, "needs a probability within 0 to 1");
  }

  void constant() const {
    const int64_t start = in_.ints[0], length = in_.ints[1];
    const auto size = static_cast<int64_t>(program_.constants.size());
    need(start >= 0 && length >= 0 && start <= size && length <= size - start, "reads outside the constants");
    need(at(0).elements() * storageBytes(at(0).storage) == length, "has a size other than its constant's");
  }

  void matmul() const {
    flag(0), flag(1);
    const TensorRef &c = at(0), &a = at(1), &b = at(2);
    need(c.rank >= 2 && a.rank == c.rank && b.rank == c.rank, "needs c, a and b of one rank >= 2");
    const int m = c.rank - 2, n = c.rank - 1;
    for (int d = 0; d < m; ++d) {
      need(a.shape[d] == c.shape[d] && b.shape[d] == c.shape[d], "has different batch sizes");
    }
    need(a.shape[m] == c.shape[m] && b.shape[n] == c.shape[n] && a.shape[n] == b.shape[m],
         "has sizes that do not fit together");
    for (const TensorRef* t : {&a, &b}) {
      need(t->shape[m] <= 1 || t->shape[n] <= 1 || t->strides[m] == 1 || t->strides[n] == 1,
           "needs a and b with stride 1 in one of the last two dimensions");
    }
    if (operand(3) != nullptr) need(at(3).shape[0] == c.shape[n], "has a bias of another size");
    if (operand(4) != nullptr) need(sameShape(at(4), c), "has a residual of another shape");
    apart(0, 1, false), apart(0, 2, false), apart(0, 3, false), apart(0, 4, true);
  }

  /// mean and rstd are present as the kind wants; kind stands in ints[0].
  void norm(std::size_t, std::size_t weight, std::size_t bias) const {
    flag(0);
    const bool gradient = in_.opcode == Opcode::layer_norm_grad;
    if (gradient && in_.ints[0] == 0) need(operand(5) != nullptr, "lacks the means");
    if (!gradient && operand(bias) != nullptr)
      need(operand(weight) != nullptr, "has a bias without a weight");
  }

  void crossEntropy(std::size_t loss, std::size_t) const {
    need(in_.ints[1] >= 0 && in_.ints[1] <= 2, "has an unknown reduction");
    const int64_t rows = operand(1)->shape[0];
    need(at(loss).elements() == (in_.ints[1] == 2 ? rows : 1), "has a loss of the wrong size");
    need(in_.floats[0] >= 0 && in_.floats[0] <= 1, "needs label smoothing within 0 to 1");
  }

  void attention(std::size_t q, std::size_t k) const {
    flag(0);
    need(in_.ints[1] >= 0, "needs a window >= 0");
    need(at(k).shape[1] > 0 && at(q).shape[1] % at(k).shape[1] == 0,
         "has query heads that key heads do not divide");
  }

  /// Far fewer than an index can be: sums with indices do not overflow.
  void diagonals() const {
    for (int64_t n : in_.ints)
      need(n >= -(int64_t{1} << 40) && n <= int64_t{1} << 40, "has a diagonal out of range");
  }

  void weightedGradient() const {
    for (int d = 0; d < 2 && operand(3) != nullptr; ++d) {
      need(at(3).shape[d] == 1 || at(3).shape[d] == at(0).shape[d],
           "has a gradient of the weights that is neither summed over a dimension nor as large as it");
    }
  }

  void saved(std::size_t i, std::size_t y) const {
    const TensorRef& t = at(y);
    if (operand(i) == nullptr) return;
    const int64_t chunks = (t.shape[1] + kWkvChunk - 1) / kWkvChunk;
    const __int128 states = static_cast<__int128>(t.shape[0]) * t.shape[2] * chunks * t.shape[3] * t.shape[3];
    need(at(i).elements() >= states, "has too small a place for saved states");
  }

  /// Operands `saves`, q, v and the log decays.
  void gla(std::size_t saves, std::size_t q, std::size_t v, std::size_t logw) const {
    const TensorRef &keys = at(q), &values = at(v), &decays = at(logw);
    const int64_t groups = keys.shape[2], n = keys.shape[3], heads = values.shape[2];
    need(groups > 0 ? heads % groups == 0 : heads == 0, "has heads that key heads do not divide");
    need(decays.shape[3] == 1 || decays.shape[3] == n, "needs log decays per key channel or per head");
    if (operand(saves) == nullptr) return;
    const int64_t chunks = (values.shape[1] + kGlaChunk - 1) / kGlaChunk;
    const __int128 states = static_cast<__int128>(values.shape[0]) * heads * chunks * n * values.shape[3];
    need(at(saves).elements() >= states, "has too small a place for saved states");
  }

  void gather() const {
    const TensorRef &out = at(0), &x = at(1), &index = at(2);
    need(out.storage == x.storage, "changes the element type");
    need(sameShape(out, index) && x.rank == out.rank, "has operands of different ranks");
    const int dim = dimension(0, x);
    for (int d = 0; d < x.rank; ++d)
      need(d == dim || out.shape[d] <= x.shape[d], "has an index larger than its input");
    allApart(1);
  }

  void scatter() const {
    flag(1);
    const TensorRef &out = at(0), &index = at(1), &src = at(2);
    need(out.storage == src.storage, "changes the element type");
    need(in_.ints[1] == 0 || out.storage == Storage::f32 || out.storage == Storage::i64, "adds bytes");
    need(sameShape(src, index) && out.rank == src.rank, "has operands of different ranks");
    const int dim = dimension(0, out);
    for (int d = 0; d < out.rank; ++d) {
      need(d == dim || src.shape[d] <= out.shape[d], "has an index larger than its output");
    }
    allApart(1);
  }

  void cumulate() const {
    need(at(0).storage == at(1).storage && sameShape(at(0), at(1)), "has operands that differ");
    dimension(0, at(0)), flag(1), flag(2), allApart(1, 1);
  }

  /// `out` is `x` with `size` elements along `dim`.
  void resized(const TensorRef& out, const TensorRef& x, int dim, int64_t size) const {
    need(out.rank == x.rank, "has operands of different ranks");
    for (int d = 0; d < x.rank; ++d) {
      need(out.shape[d] == (d == dim ? size : x.shape[d]), "has an output of the wrong shape");
    }
  }

  void argExtreme() const {
    const int dim = dimension(0, at(1));
    flag(1);
    need(at(1).shape[dim] > 0, "reduces an empty dimension");
    resized(at(0), at(1), dim, 1);
    allApart(1);
  }

  void topK() const {
    const int dim = dimension(0, at(2));
    flag(2);
    need(in_.ints[1] >= 0 && in_.ints[1] <= at(2).shape[dim], "needs k within the dimension");
    need(at(0).storage == at(2).storage, "changes the element type");
    resized(at(0), at(2), dim, in_.ints[1]), resized(at(1), at(2), dim, in_.ints[1]);
    allApart(2);
  }

  void adamw() const {
    need(at(0).elements() >= 4, "needs four hyper-parameters");
    need(in_.operands.size() >= 6 && (in_.operands.size() - 2) % 4 == 0, "needs four tensors per parameter");
    for (std::size_t i = 2; i < in_.operands.size(); i += 4) {
      for (std::size_t j = 1; j < 4; ++j) {
        need(at(i + j).elements() == at(i).elements(), "has tensors of different sizes");
      }
    }
  }

  void fused() const;

  const Program& program_;
  const Instruction& in_;
  std::size_t index_;
  std::map<char, int64_t> sizes_;
};

struct FusedRow {
  int arity;
  bool integer;
};
const FusedRow kFusedRows[] = {
#define CROSSOVER_ROW(name, arity, integer) {arity, integer != 0},
    CROSSOVER_FUSED_OPS(CROSSOVER_ROW)
#undef CROSSOVER_ROW
};

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

}  // namespace

void validateInstructions(const Program& program) {
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const auto row = static_cast<std::size_t>(program.instructions[i].opcode);
    if (kSignatures[row].opcode != program.instructions[i].opcode) {
      throw Error("program", "The signature table is out of order.");
    }
    Check(program, i).all();
  }
}

}  // namespace crossover
