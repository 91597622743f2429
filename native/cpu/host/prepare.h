// From instructions to calls: each prepare function resolves pointers and strides once, when a program is
// loaded.
#pragma once

#include <functional>

#include "../../backend.h"
#include "../kernels.h"

namespace crossover {

/// A ready call.
using Call = std::function<void(const Context&)>;

/// What prepare functions read: an instruction with its tensors and the memory they live in.
struct Site {
  const Program& program;
  const Instruction& instruction;
  const Segments& segments;
  const KernelTable& kernels;
  Random& random;
  int threads;

  const TensorRef* tensor(std::size_t i) const {
    const auto& operands = instruction.operands;
    return i < operands.size() && operands[i] >= 0 ? &program.tensors[static_cast<std::size_t>(operands[i])]
                                                   : nullptr;
  }
  /// First element of operand i, or null when it is left out.
  template <class T = float>
  T* data(std::size_t i) const {
    const TensorRef* t = tensor(i);
    return t == nullptr ? nullptr : reinterpret_cast<T*>(segments.base[t->segment] + t->byteOffset);
  }
  int64_t size(std::size_t i, int d) const { return tensor(i)->shape[d]; }
  int64_t stride(std::size_t i, int d) const { return tensor(i)->strides[d]; }
  int64_t integer(std::size_t i) const { return instruction.ints[i]; }
  double real(std::size_t i) const { return instruction.floats[i]; }
};

/// One function per family; each throws Error `program` on what validation cannot see.
Call prepareMatmul(const Site& site);
Call prepareFused(const Site& site);
Call prepareRows(const Site& site);       // softmax, norms, cross entropy, embedding
Call prepareSequence(const Site& site);   // attention, wkv
Call prepareScan(const Site& site);       // wkv4, selective_scan, short_conv, lstm
Call prepareFourier(const Site& site);    // fft, rfft, irfft
Call prepareIndexing(const Site& site);   // gather, scatter, cumulate, arg_extreme, top_k
Call prepareOptimizer(const Site& site);  // grad_norm, adamw
Call prepareRandom(const Site& site);     // rng_*, dropout
Call prepareConstant(const Site& site);

/// Version of oneDNN, or null when it is not built in.
const char* oneDnnVersion();

}  // namespace crossover
