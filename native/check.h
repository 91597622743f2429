// Checks of one instruction: what all opcodes share, used by the files that check families of them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "errors.h"
#include "program.h"
#include "signatures.h"

namespace crossover {

/// One operand of a signature.
struct Slot {
  char kind = 0, layout = 0;
  bool optional = false, repeated = false, output = false;
  std::string shape;
};

/// Checks of one instruction; every failure names it.
class Check {
 public:
  Check(const Program& program, std::size_t index)
      : program_(program), in_(program.instructions[index]), index_(index) {}

  void all();

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

  void attributes(const Signature& signature) const;
  void operands(const std::vector<Slot>& slots);
  void checkSlot(const Slot& slot, const TensorRef& tensor, std::size_t i);
  void noSelfOverlap(const TensorRef& tensor, const std::string& name) const;

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

  void specific() const;
  void fourier(std::size_t points, std::size_t bins, bool real) const;
  void probability() const;
  void constant() const;
  void matmul() const;
  void norm(std::size_t weight, std::size_t bias) const;
  void crossEntropy(std::size_t loss) const;
  void gather() const;
  void scatter() const;
  void cumulate() const;
  void resized(const TensorRef& out, const TensorRef& x, int dim, int64_t size) const;
  void argExtreme() const;
  void topK() const;
  void adamw() const;
  void fused() const;

  // Attention and recurrences.
  void sequence() const;
  void attention(std::size_t q, std::size_t k) const;
  void keyHeads(std::size_t q, std::size_t k) const;
  void diagonals() const;
  void weightedGradient() const;
  void gla(std::size_t saves, std::size_t q, std::size_t v, std::size_t logw) const;
  void chunkStates(std::size_t saved, std::size_t y, int64_t chunk, int64_t perChannel) const;
  void vectorState(std::size_t a, std::size_t b) const;
  void taps(std::size_t weight, std::initializer_list<std::size_t> states) const;
  void fourGates(std::size_t h, std::size_t gates) const;

  const Program& program_;
  const Instruction& in_;
  std::size_t index_;
  std::map<char, int64_t> sizes_;
};

}  // namespace crossover
