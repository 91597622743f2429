// Kernels over sequences: attention, weighted attention and the WKV recurrences.
#include "prepare.h"

namespace crossover {
namespace {

Rows4 rows(const Site& site, std::size_t i) {
  if (site.tensor(i) == nullptr) return Rows4{};
  return {site.data(i), {site.stride(i, 0), site.stride(i, 1), site.stride(i, 2)}};
}

/// Operands q, k, v stand at `first`; the mask, when there is one, at `mask`.
AttentionArgs attentionArgs(const Site& site, std::size_t first, std::size_t mask) {
  AttentionArgs args{};
  const TensorRef &q = *site.tensor(first), &k = *site.tensor(first + 1), &v = *site.tensor(first + 2);
  args.B = q.shape[0], args.H = q.shape[1], args.T = q.shape[2], args.D = q.shape[3];
  args.Hkv = k.shape[1], args.S = k.shape[2], args.Dv = v.shape[3];
  args.scale = static_cast<float>(site.real(0));
  args.q = rows(site, first), args.k = rows(site, first + 1), args.v = rows(site, first + 2);
  if (const TensorRef* t = site.tensor(mask)) {
    args.mask = site.data<void>(mask);
    args.maskStorage = t->storage;
    for (int d = 0; d < 4; ++d) args.maskStride[d] = t->strides[d];
  }
  return args;
}

void setLse(AttentionArgs& args, const Site& site, std::size_t i) {
  if (site.tensor(i) == nullptr) return;
  args.lse = site.data(i);
  for (int d = 0; d < 3; ++d) args.lseStride[d] = site.stride(i, d);
}

void setBand(AttentionArgs& args, const Site& site) {
  args.causal = site.integer(0) != 0, args.window = site.integer(1);
}

Call attention(const Site& site) {
  AttentionArgs args = attentionArgs(site, 2, 5);
  setBand(args, site);
  args.out = rows(site, 0);
  setLse(args, site, 1);
  return [args, kernel = site.kernels.attention](const Context& context) { kernel(context, args); };
}

Call attentionGrad(const Site& site) {
  AttentionArgs args = attentionArgs(site, 4, 9);
  setBand(args, site);
  args.dq = rows(site, 0), args.dk = rows(site, 1), args.dv = rows(site, 2), args.dout = rows(site, 3);
  args.out = rows(site, 7);
  setLse(args, site, 8);
  return [args, kernel = site.kernels.attentionGrad](const Context& context) { kernel(context, args); };
}

Call cachedAttention(const Site& site) {
  CachedAttentionArgs args{attentionArgs(site, 1, 5), site.data<int64_t>(4)};
  args.attention.out = rows(site, 0);
  args.attention.causal = true;
  return [args, kernel = site.kernels.cachedAttention](const Context& context) { kernel(context, args); };
}

/// Operands q, k, v and w stand at `first`.
WeightedAttentionArgs weightedArgs(const Site& site, std::size_t first) {
  WeightedAttentionArgs args{};
  const TensorRef &q = *site.tensor(first), &k = *site.tensor(first + 1), &v = *site.tensor(first + 2);
  args.B = q.shape[0], args.H = q.shape[1], args.T = q.shape[2], args.D = q.shape[3];
  args.S = k.shape[2], args.Dv = v.shape[3];
  args.first = site.integer(0), args.last = site.integer(1);
  args.q = rows(site, first), args.k = rows(site, first + 1), args.v = rows(site, first + 2);
  args.w = site.data(first + 3);
  for (int d = 0; d < 3; ++d) args.wStride[d] = site.stride(first + 3, d);
  return args;
}

Call weightedAttention(const Site& site) {
  WeightedAttentionArgs args = weightedArgs(site, 1);
  args.out = rows(site, 0);
  return [args, kernel = site.kernels.weightedAttention](const Context& context) { kernel(context, args); };
}

Call weightedAttentionGrad(const Site& site) {
  WeightedAttentionArgs args = weightedArgs(site, 5);
  args.dq = rows(site, 0), args.dk = rows(site, 1), args.dv = rows(site, 2), args.dout = rows(site, 4);
  if (const TensorRef* dw = site.tensor(3)) {
    args.dw = site.data(3);
    for (int d = 0; d < 3; ++d) args.dwStride[d] = dw->strides[d];
    args.dwShared[0] = dw->shape[0] != args.B, args.dwShared[1] = dw->shape[1] != args.H;
  }
  return
      [args, kernel = site.kernels.weightedAttentionGrad](const Context& context) { kernel(context, args); };
}

void setSizes(Wkv6Args& args, const Site& site) {
  args.B = site.size(0, 0), args.T = site.size(0, 1), args.H = site.size(0, 2), args.N = site.size(0, 3);
}

Call wkv6(const Site& site) {
  Wkv6Args args{};
  setSizes(args, site);
  args.y = rows(site, 0), args.stateOut = site.data(1), args.saved = site.data(2);
  args.r = rows(site, 3), args.k = rows(site, 4), args.v = rows(site, 5), args.logw = rows(site, 6);
  args.u = site.data(7), args.stateIn = site.data(8);
  return [args, kernel = site.kernels.wkv6](const Context& context) { kernel(context, args); };
}

Call wkv6Grad(const Site& site) {
  Wkv6Args args{};
  setSizes(args, site);
  args.dr = rows(site, 0), args.dk = rows(site, 1), args.dv = rows(site, 2), args.dlogw = rows(site, 3);
  args.du = site.data(4), args.dstateIn = site.data(5);
  args.dy = rows(site, 6), args.dstateOut = site.data(7), args.saved = site.data(8);
  args.r = rows(site, 9), args.k = rows(site, 10), args.v = rows(site, 11), args.logw = rows(site, 12);
  args.u = site.data(13), args.stateIn = site.data(14);
  return [args, kernel = site.kernels.wkv6Grad](const Context& context) { kernel(context, args); };
}

/// Operands r, logw, k, v, a, b stand at `first`.
Wkv7Args wkv7Args(const Site& site, std::size_t first) {
  Wkv7Args args{};
  args.B = site.size(first, 0), args.T = site.size(first, 1), args.H = site.size(first, 2);
  args.N = site.size(first, 3), args.P = site.size(first + 3, 3);
  args.r = rows(site, first), args.logw = rows(site, first + 1), args.k = rows(site, first + 2);
  args.v = rows(site, first + 3), args.a = rows(site, first + 4), args.b = rows(site, first + 5);
  return args;
}

Call wkv7(const Site& site) {
  Wkv7Args args = wkv7Args(site, 3);
  args.y = rows(site, 0), args.stateOut = site.data(1), args.saved = site.data(2);
  args.stateIn = site.data(9);
  return [args, kernel = site.kernels.wkv7](const Context& context) { kernel(context, args); };
}

Call wkv7Grad(const Site& site) {
  Wkv7Args args = wkv7Args(site, 10);
  args.dr = rows(site, 0), args.dlogw = rows(site, 1), args.dk = rows(site, 2), args.dv = rows(site, 3);
  args.da = rows(site, 4), args.db = rows(site, 5), args.dstateIn = site.data(6);
  args.dy = rows(site, 7), args.dstateOut = site.data(8), args.saved = site.data(9);
  args.stateIn = site.data(16);
  return [args, kernel = site.kernels.wkv7Grad](const Context& context) { kernel(context, args); };
}

/// Operands q, v and log decays give the sizes.
GlaArgs glaArgs(const Site& site, std::size_t q, std::size_t logw) {
  GlaArgs args{};
  args.B = site.size(q, 0), args.T = site.size(q, 1), args.G = site.size(q, 2), args.N = site.size(q, 3);
  args.H = site.size(q + 2, 2), args.P = site.size(q + 2, 3);
  args.perHead = site.size(logw, 3) == 1;
  args.scale = static_cast<float>(site.real(0));
  args.q = rows(site, q), args.k = rows(site, q + 1), args.v = rows(site, q + 2);
  args.logw = rows(site, logw);
  return args;
}

Call gla(const Site& site) {
  GlaArgs args = glaArgs(site, 3, 6);
  args.y = rows(site, 0), args.stateOut = site.data(1), args.saved = site.data(2);
  args.stateIn = site.data(7);
  return [args, kernel = site.kernels.gla](const Context& context) { kernel(context, args); };
}

Call glaGrad(const Site& site) {
  GlaArgs args = glaArgs(site, 8, 11);
  args.dq = rows(site, 0), args.dk = rows(site, 1), args.dv = rows(site, 2), args.dlogw = rows(site, 3);
  args.dstateIn = site.data(4);
  args.dy = rows(site, 5), args.dstateOut = site.data(6), args.saved = site.data(7);
  return [args, kernel = site.kernels.glaGrad](const Context& context) { kernel(context, args); };
}

}  // namespace

Call prepareSequence(const Site& site) {
  switch (site.instruction.opcode) {
    case Opcode::attention:
      return attention(site);
    case Opcode::attention_grad:
      return attentionGrad(site);
    case Opcode::cached_attention:
      return cachedAttention(site);
    case Opcode::weighted_attention:
      return weightedAttention(site);
    case Opcode::weighted_attention_grad:
      return weightedAttentionGrad(site);
    case Opcode::wkv6:
      return wkv6(site);
    case Opcode::wkv6_grad:
      return wkv6Grad(site);
    case Opcode::wkv7:
      return wkv7(site);
    case Opcode::wkv7_grad:
      return wkv7Grad(site);
    case Opcode::gla:
      return gla(site);
    default:
      return glaGrad(site);
  }
}

}  // namespace crossover
