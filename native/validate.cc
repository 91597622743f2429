// A program is checked once, when it is loaded, against what every opcode asks of its operands
// (signatures.h).
#include <cctype>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"

namespace crossover {
namespace {

static_assert(sizeof kSignatures / sizeof kSignatures[0] == static_cast<int>(Opcode::count),
              "a row per opcode");

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

}  // namespace

void Check::all() {
  const Signature& signature = kSignatures[static_cast<int>(in_.opcode)];
  attributes(signature);
  operands(parseSignature(signature.operands));
  specific();
}

void Check::attributes(const Signature& signature) const {
  if (signature.ints >= 0 && static_cast<int>(in_.ints.size()) != signature.ints) {
    bad("has " + std::to_string(in_.ints.size()) + " integers and needs " + std::to_string(signature.ints));
  }
  if (signature.floats >= 0 && static_cast<int>(in_.floats.size()) != signature.floats) {
    bad("has " + std::to_string(in_.floats.size()) + " floats and needs " + std::to_string(signature.floats));
  }
}

void Check::operands(const std::vector<Slot>& slots) {
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

void Check::checkSlot(const Slot& slot, const TensorRef& tensor, std::size_t i) {
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

void Check::noSelfOverlap(const TensorRef& tensor, const std::string& name) const {
  for (int d = 0; d < tensor.rank; ++d) {
    if (tensor.shape[d] > 1 && tensor.strides[d] == 0) bad("writes " + name + ", whose elements overlap");
  }
}

void Check::specific() const {
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
      return norm(4, 5), allApart(3, 3);
    case Opcode::layer_norm_grad:
      return norm(7, 7), flag(1), flag(2), allApart(3, 3);
    case Opcode::cross_entropy:
      return crossEntropy(0), allApart(2);
    case Opcode::cross_entropy_grad:
      return crossEntropy(4), allApart(1, 1);
    case Opcode::attention:
    case Opcode::attention_grad:
    case Opcode::cached_attention:
    case Opcode::weighted_attention:
    case Opcode::weighted_attention_grad:
    case Opcode::wkv6:
    case Opcode::wkv6_grad:
    case Opcode::wkv7:
    case Opcode::wkv7_grad:
    case Opcode::wkv4:
    case Opcode::wkv4_grad:
    case Opcode::gla:
    case Opcode::gla_grad:
    case Opcode::selective_scan:
    case Opcode::selective_scan_grad:
    case Opcode::short_conv:
    case Opcode::short_conv_grad:
    case Opcode::lstm:
    case Opcode::lstm_grad:
      return sequence();
    case Opcode::fft:
      return flag(1), fourier(0, 2, false), allApart(2);
    case Opcode::rfft:
      return fourier(2, 0, true), allApart(2);
    case Opcode::irfft:
      return fourier(0, 1, true), allApart(1);
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

/// Operands `points` and `bins` have at most as many as a transform of ints[0] points; a real one has half as
/// many bins.
void Check::fourier(std::size_t points, std::size_t bins, bool real) const {
  const int64_t n = in_.ints[0];
  need(n >= 1 && n <= kMostFftPoints, "needs 1 to 4194304 points");
  need(at(points).shape[2] <= n, "has more points than its transform");
  need(at(bins).shape[2] <= (real ? n / 2 + 1 : n), "has more bins than its transform");
}

void Check::probability() const {
  need(in_.floats[0] >= 0 && in_.floats[0] <= 1, "needs a probability within 0 to 1");
}

void Check::constant() const {
  const int64_t start = in_.ints[0], length = in_.ints[1];
  const auto size = static_cast<int64_t>(program_.constants.size());
  need(start >= 0 && length >= 0 && start <= size && length <= size - start, "reads outside the constants");
  need(at(0).elements() * storageBytes(at(0).storage) == length, "has a size other than its constant's");
}

void Check::matmul() const {
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
void Check::norm(std::size_t weight, std::size_t bias) const {
  flag(0);
  const bool gradient = in_.opcode == Opcode::layer_norm_grad;
  if (gradient && in_.ints[0] == 0) need(operand(5) != nullptr, "lacks the means");
  if (!gradient && operand(bias) != nullptr) need(operand(weight) != nullptr, "has a bias without a weight");
}

void Check::crossEntropy(std::size_t loss) const {
  need(in_.ints[1] >= 0 && in_.ints[1] <= 2, "has an unknown reduction");
  const int64_t rows = operand(1)->shape[0];
  need(at(loss).elements() == (in_.ints[1] == 2 ? rows : 1), "has a loss of the wrong size");
  need(in_.floats[0] >= 0 && in_.floats[0] <= 1, "needs label smoothing within 0 to 1");
}

void Check::gather() const {
  const TensorRef &out = at(0), &x = at(1), &index = at(2);
  need(out.storage == x.storage, "changes the element type");
  need(sameShape(out, index) && x.rank == out.rank, "has operands of different ranks");
  const int dim = dimension(0, x);
  for (int d = 0; d < x.rank; ++d)
    need(d == dim || out.shape[d] <= x.shape[d], "has an index larger than its input");
  allApart(1);
}

void Check::scatter() const {
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

void Check::cumulate() const {
  need(at(0).storage == at(1).storage && sameShape(at(0), at(1)), "has operands that differ");
  dimension(0, at(0)), flag(1), flag(2), allApart(1, 1);
}

/// `out` is `x` with `size` elements along `dim`.
void Check::resized(const TensorRef& out, const TensorRef& x, int dim, int64_t size) const {
  need(out.rank == x.rank, "has operands of different ranks");
  for (int d = 0; d < x.rank; ++d) {
    need(out.shape[d] == (d == dim ? size : x.shape[d]), "has an output of the wrong shape");
  }
}

void Check::argExtreme() const {
  const int dim = dimension(0, at(1));
  flag(1);
  need(at(1).shape[dim] > 0, "reduces an empty dimension");
  resized(at(0), at(1), dim, 1);
  allApart(1);
}

void Check::topK() const {
  const int dim = dimension(0, at(2));
  flag(2);
  need(in_.ints[1] >= 0 && in_.ints[1] <= at(2).shape[dim], "needs k within the dimension");
  need(at(0).storage == at(2).storage, "changes the element type");
  resized(at(0), at(2), dim, in_.ints[1]), resized(at(1), at(2), dim, in_.ints[1]);
  allApart(2);
}

void Check::adamw() const {
  need(at(0).elements() >= 4, "needs four hyper-parameters");
  need(in_.operands.size() >= 6 && (in_.operands.size() - 2) % 4 == 0, "needs four tensors per parameter");
  for (std::size_t i = 2; i < in_.operands.size(); i += 4) {
    for (std::size_t j = 1; j < 4; ++j) {
      need(at(i + j).elements() == at(i).elements(), "has tensors of different sizes");
    }
  }
}

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
