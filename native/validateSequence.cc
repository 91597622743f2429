// What attention and recurrences ask of their operands.
#include "check.h"
#include "cpu/kernels.h"

namespace crossover {

void Check::sequence() const {
  switch (in_.opcode) {
    case Opcode::attention:
      return attention(2, 3), allApart(2);
    case Opcode::attention_grad:
      return attention(4, 5), allApart(3);
    case Opcode::cached_attention:
      return keyHeads(1, 2), allApart(1);
    case Opcode::weighted_attention:
      return diagonals(), allApart(1);
    case Opcode::weighted_attention_grad:
      return diagonals(), weightedGradient(), allApart(4);
    case Opcode::wkv6:
      return chunkStates(2, 0, kWkvChunk, at(0).shape[3]), allApart(3);
    case Opcode::wkv6_grad:
      return chunkStates(8, 0, kWkvChunk, at(0).shape[3]), allApart(6);
    case Opcode::wkv7:
      return chunkStates(2, 0, kWkvChunk, at(3).shape[3]), allApart(3);
    case Opcode::wkv7_grad:
      return chunkStates(9, 3, kWkvChunk, at(0).shape[3]), allApart(7);
    case Opcode::gla:
      return gla(2, 3, 0, 6), allApart(3);
    case Opcode::gla_grad:
      return gla(7, 8, 10, 11), allApart(5);
    case Opcode::wkv4:
      return vectorState(1, 8), chunkStates(2, 0, kWkvChunk, 3), allApart(3);
    case Opcode::wkv4_grad:
      return vectorState(4, 6), chunkStates(7, 2, kWkvChunk, 3), allApart(5);
    case Opcode::selective_scan:
      return chunkStates(2, 0, kWkvChunk, at(5).shape[1]), allApart(3);
    case Opcode::selective_scan_grad:
      return chunkStates(8, 0, kWkvChunk, at(2).shape[1]), allApart(6);
    case Opcode::short_conv:
      return taps(3, {1, 5}), allApart(2);
    case Opcode::short_conv_grad:
      return taps(7, {3, 5, 8}), allApart(4);
    case Opcode::lstm:
      need((operand(2) == nullptr) == (operand(3) == nullptr),
           "saves gates and cells together or not at all");
      return flag(0), fourGates(0, 4), allApart(4);
    case Opcode::lstm_grad:
      return flag(0), fourGates(3, 0), allApart(3);
    default:
      bad("is no attention and no recurrence");
  }
}

void Check::attention(std::size_t q, std::size_t k) const {
  flag(0);
  need(in_.ints[1] >= 0, "needs a window >= 0");
  keyHeads(q, k);
}

void Check::keyHeads(std::size_t q, std::size_t k) const {
  need(at(k).shape[1] > 0 && at(q).shape[1] % at(k).shape[1] == 0,
       "has query heads that key heads do not divide");
}

/// Far fewer than an index can be: sums with indices do not overflow.
void Check::diagonals() const {
  for (int64_t n : in_.ints)
    need(n >= -(int64_t{1} << 40) && n <= int64_t{1} << 40, "has a diagonal out of range");
}

void Check::weightedGradient() const {
  for (int d = 0; d < 2 && operand(3) != nullptr; ++d) {
    need(at(3).shape[d] == 1 || at(3).shape[d] == at(0).shape[d],
         "has a gradient of the weights that is neither summed over a dimension nor as large as it");
  }
}

/// Operands `saves`, q, v and the log decays.
void Check::gla(std::size_t saves, std::size_t q, std::size_t v, std::size_t logw) const {
  const TensorRef &keys = at(q), &values = at(v), &decays = at(logw);
  const int64_t groups = keys.shape[2], n = keys.shape[3], heads = values.shape[2];
  need(groups > 0 ? heads % groups == 0 : heads == 0, "has heads that key heads do not divide");
  need(decays.shape[3] == 1 || decays.shape[3] == n, "needs log decays per key channel or per head");
  chunkStates(saves, v, kGlaChunk, n);
}

/// `saved` has room for `perChannel` numbers per channel of `y` [B, T, ..] and `chunk` tokens.
void Check::chunkStates(std::size_t saved, std::size_t y, int64_t chunk, int64_t perChannel) const {
  if (operand(saved) == nullptr) return;
  const TensorRef& t = at(y);
  __int128 numbers = static_cast<__int128>((t.shape[1] + chunk - 1) / chunk) * perChannel * t.shape[0];
  for (int d = 2; d < t.rank; ++d) numbers *= t.shape[d];
  need(at(saved).elements() >= numbers, "has too small a place for saved states");
}

/// wkv4's states are sums of v, sums of weights and exponents.
void Check::vectorState(std::size_t a, std::size_t b) const {
  for (std::size_t i : {a, b}) {
    if (operand(i) != nullptr) need(at(i).shape[1] == 3, "needs states of 3 rows");
  }
}

/// Weights [C, taps]; states hold a row less.
void Check::taps(std::size_t weight, std::initializer_list<std::size_t> states) const {
  const int64_t taps = at(weight).shape[1];
  need(taps >= 2 && taps <= 8, "needs 2 to 8 taps");
  for (std::size_t i : states) {
    if (operand(i) != nullptr) need(at(i).shape[1] == taps - 1, "needs states of a row less than taps");
  }
}

void Check::fourGates(std::size_t h, std::size_t gates) const {
  need(at(gates).shape[2] == 4 * at(h).shape[2], "needs four gates per unit");
}

}  // namespace crossover
