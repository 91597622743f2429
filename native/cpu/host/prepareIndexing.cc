// gather, scatter, cumulate, arg_extreme and top_k as lines along one dimension.
#include "prepare.h"

namespace crossover {
namespace {

/// Strides of operand i apart from dimension `dim`, which becomes `step`.
void setStrides(const Site& site, std::size_t i, int dim, int64_t* strides, int64_t* step) {
  int at = 0;
  for (int d = 0; d < site.tensor(i)->rank; ++d) {
    if (d == dim)
      *step = site.stride(i, d);
    else
      strides[at++] = site.stride(i, d);
  }
}

/// `shaped` is the operand whose other dimensions are walked.
LineArgs lines(const Site& site, std::size_t shaped, std::size_t typed) {
  LineArgs args{};
  const TensorRef& t = *site.tensor(shaped);
  const int dim = static_cast<int>(site.integer(0));
  args.storage = site.tensor(typed)->storage;
  for (int d = 0; d < t.rank; ++d) {
    if (d != dim) args.shape[args.rank++] = t.shape[d];
  }
  return args;
}

}  // namespace

Call prepareIndexing(const Site& site) {
  const int dim = static_cast<int>(site.integer(0));
  const auto out = [&](LineArgs& args, std::size_t i) {
    args.out = site.data<void>(i);
    setStrides(site, i, dim, args.outStride, &args.outStep);
  };
  const auto x = [&](LineArgs& args, std::size_t i) {
    args.x = site.data<void>(i);
    setStrides(site, i, dim, args.xStride, &args.xStep);
  };
  const auto index = [&](LineArgs& args, std::size_t i) {
    args.index = site.data<int64_t>(i);
    setStrides(site, i, dim, args.indexStride, &args.indexStep);
  };
  LineArgs args{};
  void (*kernel)(const Context&, const LineArgs&) = nullptr;
  switch (site.instruction.opcode) {
    case Opcode::gather:
      args = lines(site, 2, 0);
      out(args, 0), x(args, 1), index(args, 2);
      args.length = site.size(1, dim), args.count = site.size(2, dim);
      kernel = site.kernels.gather;
      break;
    case Opcode::scatter:
      args = lines(site, 1, 0);
      out(args, 0), index(args, 1), x(args, 2);
      args.length = site.size(0, dim), args.count = site.size(1, dim);
      args.flag = site.integer(1) != 0;
      kernel = site.kernels.scatter;
      break;
    case Opcode::cumulate:
      args = lines(site, 1, 1);
      out(args, 0), x(args, 1);
      args.length = args.count = site.size(1, dim);
      args.flag = site.integer(1) != 0, args.kind = static_cast<int>(site.integer(2));
      kernel = site.kernels.cumulate;
      break;
    case Opcode::arg_extreme:
      args = lines(site, 1, 1);
      out(args, 0), x(args, 1);
      args.length = site.size(1, dim), args.count = 1;
      args.flag = site.integer(1) != 0;
      kernel = site.kernels.argExtreme;
      break;
    default:
      args = lines(site, 2, 2);
      out(args, 0), index(args, 1), x(args, 2);
      args.length = site.size(2, dim), args.count = site.integer(1);
      args.flag = site.integer(2) != 0;
      kernel = site.kernels.topK;
      break;
  }
  return [=](const Context& context) { kernel(context, args); };
}

}  // namespace crossover
