// Fourier transforms: operands [outer, rows, points] with any strides.
#include "fourierPlan.h"
#include "prepare.h"

namespace crossover {
namespace {

FftTensor tensorAt(const Site& site, std::size_t i) {
  if (site.tensor(i) == nullptr) return {};
  return {site.data(i), {site.stride(i, 0), site.stride(i, 1), site.stride(i, 2)}};
}

/// Outer indices and rows are one where every operand lies so: blocks of rows are full then.
void join(FftArgs& args) {
  for (const FftTensor* tensor : {&args.outRe, &args.outIm, &args.inRe, &args.inIm}) {
    if (tensor->data != nullptr && tensor->stride[0] != args.rows * tensor->stride[1]) return;
  }
  args.rows *= args.outer, args.outer = 1;
}

}  // namespace

Call prepareFourier(const Site& site) {
  const Opcode opcode = site.instruction.opcode;
  const bool one = opcode == Opcode::irfft;  // output tensors
  const std::size_t first = one ? 1 : 2;
  FftArgs args{};
  args.outer = site.size(0, 0), args.rows = site.size(0, 1), args.out = site.size(0, 2);
  args.in = site.size(first, 2);
  args.outRe = tensorAt(site, 0), args.outIm = one ? FftTensor{} : tensorAt(site, 1);
  args.inRe = tensorAt(site, first), args.inIm = tensorAt(site, first + 1);
  args.scale = static_cast<float>(site.real(0));
  if (opcode == Opcode::fft) {
    args.inverse = site.integer(1) != 0;
  } else {
    args.interior = static_cast<float>(site.real(1));
  }
  join(args);
  const auto kernel = opcode == Opcode::fft    ? site.kernels.fft
                      : opcode == Opcode::rfft ? site.kernels.rfft
                                               : site.kernels.irfft;
  return [args, kernel, plan = fftPlan(site.integer(0))](const Context& context) mutable {
    args.plan = plan.get();
    kernel(context, args);
  };
}

}  // namespace crossover
