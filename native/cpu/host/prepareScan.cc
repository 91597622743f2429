// Recurrences with a vector state per channel, wkv4, selective_scan and lstm; and short_conv.
#include "prepare.h"

namespace crossover {
namespace {

Rows3 rows(const Site& site, std::size_t i) {
  if (site.tensor(i) == nullptr) return Rows3{};
  return {site.data(i), {site.stride(i, 0), site.stride(i, 1)}};
}

Call wkv4(const Site& site) {
  Wkv4Args args{};
  args.B = site.size(0, 0), args.T = site.size(0, 1), args.C = site.size(0, 2);
  args.y = rows(site, 0), args.stateOut = site.data(1), args.saved = site.data(2);
  args.logw = site.data(3), args.u = site.data(4), args.k = rows(site, 5), args.v = rows(site, 6);
  args.stateIn = site.data(7);
  return [args, kernel = site.kernels.wkv4](const Context& context) { kernel(context, args); };
}

Call wkv4Grad(const Site& site) {
  Wkv4Args args{};
  args.B = site.size(2, 0), args.T = site.size(2, 1), args.C = site.size(2, 2);
  args.dlogw = site.data(0), args.du = site.data(1), args.dk = rows(site, 2), args.dv = rows(site, 3);
  args.dstateIn = site.data(4);
  args.dy = rows(site, 5), args.dstateOut = site.data(6), args.saved = site.data(7);
  args.logw = site.data(8), args.u = site.data(9), args.k = rows(site, 10), args.v = rows(site, 11);
  return [args, kernel = site.kernels.wkv4Grad](const Context& context) { kernel(context, args); };
}

/// Operands x, dt, A, B, C stand at `first`.
SelectiveScanArgs scanArgs(const Site& site, std::size_t first) {
  SelectiveScanArgs args{};
  args.x = rows(site, first), args.dt = rows(site, first + 1), args.a = site.data(first + 2);
  args.b = rows(site, first + 3), args.c = rows(site, first + 4);
  args.B = site.size(first, 0), args.T = site.size(first, 1), args.D = site.size(first, 2);
  args.N = site.size(first + 2, 1);
  return args;
}

Call selectiveScan(const Site& site) {
  SelectiveScanArgs args = scanArgs(site, 3);
  args.y = rows(site, 0), args.stateOut = site.data(1), args.saved = site.data(2);
  args.stateIn = site.data(8);
  return [args, kernel = site.kernels.selectiveScan](const Context& context) { kernel(context, args); };
}

Call selectiveScanGrad(const Site& site) {
  SelectiveScanArgs args = scanArgs(site, 9);
  args.dx = rows(site, 0), args.ddt = rows(site, 1), args.da = site.data(2);
  args.db = rows(site, 3), args.dc = rows(site, 4), args.dstateIn = site.data(5);
  args.dy = rows(site, 6), args.dstateOut = site.data(7), args.saved = site.data(8);
  return [args, kernel = site.kernels.selectiveScanGrad](const Context& context) { kernel(context, args); };
}

Call shortConv(const Site& site) {
  ShortConvArgs args{};
  args.B = site.size(0, 0), args.T = site.size(0, 1), args.C = site.size(0, 2), args.taps = site.size(3, 1);
  args.y = rows(site, 0), args.stateOut = site.data(1), args.x = rows(site, 2);
  args.weight = site.data(3), args.bias = site.data(4), args.stateIn = site.data(5);
  return [args, kernel = site.kernels.shortConv](const Context& context) { kernel(context, args); };
}

Call shortConvGrad(const Site& site) {
  ShortConvArgs args{};
  args.B = site.size(0, 0), args.T = site.size(0, 1), args.C = site.size(0, 2), args.taps = site.size(7, 1);
  args.dx = rows(site, 0), args.dweight = site.data(1), args.dbias = site.data(2);
  args.dstateIn = site.data(3);
  args.dy = rows(site, 4), args.dstateOut = site.data(5), args.x = rows(site, 6);
  args.weight = site.data(7), args.stateIn = site.data(8);
  return [args, kernel = site.kernels.shortConvGrad](const Context& context) { kernel(context, args); };
}

Call lstm(const Site& site) {
  LstmArgs args{};
  args.B = site.size(0, 0), args.T = site.size(0, 1), args.H = site.size(0, 2);
  args.bf16 = site.integer(0) != 0;
  args.y = rows(site, 0), args.cellOut = site.data(1), args.active = site.data(2), args.cells = site.data(3);
  args.gates = rows(site, 4), args.weight = site.data(5), args.h0 = site.data(6), args.c0 = site.data(7);
  return [args, kernel = site.kernels.lstm](const Context& context) { kernel(context, args); };
}

Call lstmGrad(const Site& site) {
  LstmArgs args{};
  args.B = site.size(3, 0), args.T = site.size(3, 1), args.H = site.size(3, 2);
  args.bf16 = site.integer(0) != 0;
  args.dgates = rows(site, 0), args.dh0 = site.data(1), args.dc0 = site.data(2);
  args.dy = rows(site, 3), args.dcellOut = site.data(4), args.weight = site.data(5);
  args.active = site.data(6), args.cells = site.data(7), args.c0 = site.data(8);
  return [args, kernel = site.kernels.lstmGrad](const Context& context) { kernel(context, args); };
}

}  // namespace

Call prepareScan(const Site& site) {
  switch (site.instruction.opcode) {
    case Opcode::wkv4:
      return wkv4(site);
    case Opcode::wkv4_grad:
      return wkv4Grad(site);
    case Opcode::selective_scan:
      return selectiveScan(site);
    case Opcode::selective_scan_grad:
      return selectiveScanGrad(site);
    case Opcode::short_conv:
      return shortConv(site);
    case Opcode::short_conv_grad:
      return shortConvGrad(site);
    case Opcode::lstm:
      return lstm(site);
    default:
      return lstmGrad(site);
  }
}

}  // namespace crossover
