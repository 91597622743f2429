// Kernels over rows: softmax, norms, cross entropy, embedding; and constants.
#include <cstring>

#include "prepare.h"

namespace crossover {
namespace {

Call softmax(const Site& site, void (*kernel)(const Context&, const SoftmaxArgs&), bool gradient) {
  SoftmaxArgs args{};
  args.rows = site.size(0, 0), args.n = site.size(0, 1);
  args.out = site.data(0), args.outStride = site.stride(0, 0);
  args.a = site.data(1), args.aStride = site.stride(1, 0);
  if (gradient) args.b = site.data(2), args.bStride = site.stride(2, 0);
  return [=](const Context& context) { kernel(context, args); };
}

Call norm(const Site& site) {
  NormArgs args{};
  args.R = site.size(0, 0), args.G = site.size(0, 1), args.n = site.size(0, 2);
  args.rms = site.integer(0) == 1;
  args.eps = static_cast<float>(site.real(0));
  args.y = site.data(0), args.yR = site.stride(0, 0), args.yG = site.stride(0, 1);
  args.mean = args.rms ? nullptr : site.data(1);
  args.rstd = site.data(2);
  args.x = site.data(3), args.xR = site.stride(3, 0), args.xG = site.stride(3, 1);
  args.weight = site.data(4), args.bias = site.data(5);
  return [args, kernel = site.kernels.norm](const Context& context) { kernel(context, args); };
}

Call normGrad(const Site& site) {
  NormArgs args{};
  args.R = site.size(0, 0), args.G = site.size(0, 1), args.n = site.size(0, 2);
  args.rms = site.integer(0) == 1;
  args.accumulateDx = site.integer(1) != 0, args.accumulateWeights = site.integer(2) != 0;
  args.y = site.data(0), args.yR = site.stride(0, 0), args.yG = site.stride(0, 1);
  args.dweight = site.data(1), args.dbias = site.data(2);
  args.dy = site.data(3), args.dyR = site.stride(3, 0), args.dyG = site.stride(3, 1);
  args.x = site.data(4), args.xR = site.stride(4, 0), args.xG = site.stride(4, 1);
  args.mean = args.rms ? nullptr : site.data(5), args.rstd = site.data(6);
  args.weight = site.data(7);
  return [args, kernel = site.kernels.normGrad](const Context& context) { kernel(context, args); };
}

Call crossEntropy(const Site& site, bool gradient) {
  const std::size_t logits = gradient ? 1 : 2, lse = gradient ? 2 : 1;
  CrossEntropyArgs args{};
  args.N = site.size(logits, 0), args.C = site.size(logits, 1);
  args.logits = site.data(logits), args.logitsRow = site.stride(logits, 0);
  args.targets = site.data<int64_t>(3), args.targetsStride = site.stride(3, 0);
  args.ignoreIndex = site.integer(0), args.reduction = static_cast<int>(site.integer(1));
  args.labelSmoothing = static_cast<float>(site.real(0));
  args.lse = site.data(lse);
  if (gradient) {
    args.dlogits = site.data(0), args.dlogitsRow = site.stride(0, 0);
    args.dloss = site.data(4);
  } else {
    args.loss = site.data(0);
  }
  const auto kernel = gradient ? site.kernels.crossEntropyGrad : site.kernels.crossEntropy;
  return [=](const Context& context) { kernel(context, args); };
}

Call embedding(const Site& site, bool gradient) {
  EmbeddingArgs args{};
  const std::size_t rows = gradient ? 1 : 0, weight = gradient ? 0 : 1;
  args.N = site.size(rows, 0), args.D = site.size(rows, 1), args.V = site.size(weight, 0);
  args.out = site.data(0), args.outRow = site.stride(0, 0);
  args.x = site.data(1), args.xRow = site.stride(1, 0);
  args.index = site.data<int64_t>(2), args.indexStride = site.stride(2, 0);
  args.accumulate = gradient && site.integer(0) != 0;
  const auto kernel = gradient ? site.kernels.embeddingGrad : site.kernels.embedding;
  return [=](const Context& context) { kernel(context, args); };
}

}  // namespace

Call prepareConstant(const Site& site) {
  const uint8_t* from = site.program.constants.data() + site.integer(0);
  const auto length = static_cast<std::size_t>(site.integer(1));
  return [=, to = site.data<uint8_t>(0)](const Context&) {
    if (length != 0) std::memcpy(to, from, length);
  };
}

Call prepareRows(const Site& site) {
  switch (site.instruction.opcode) {
    case Opcode::softmax:
      return softmax(site, site.kernels.softmax, false);
    case Opcode::softmax_grad:
      return softmax(site, site.kernels.softmaxGrad, true);
    case Opcode::log_softmax:
      return softmax(site, site.kernels.logSoftmax, false);
    case Opcode::log_softmax_grad:
      return softmax(site, site.kernels.logSoftmaxGrad, true);
    case Opcode::layer_norm:
      return norm(site);
    case Opcode::layer_norm_grad:
      return normGrad(site);
    case Opcode::cross_entropy:
      return crossEntropy(site, false);
    case Opcode::cross_entropy_grad:
      return crossEntropy(site, true);
    case Opcode::embedding:
      return embedding(site, false);
    default:
      return embedding(site, true);
  }
}

}  // namespace crossover
