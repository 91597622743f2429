// RWKV-4's recurrence, backward: chunks from the last to the first, each recomputed from its saved state.
//
// gaa and gbb are gradients of the sums. y and the next sums do not depend on which exponent they are divided
// by, so pp's own gradient is gaa aa + gbb bb, plus `rest`: what dstateOut asks of pp beyond that, which
// follows the larger exponent back to a key or to the first state. All outputs are assigned. dlogw and du are
// summed over the batch in a fixed order, whatever the number of threads.
#include "wkv4_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

struct Scratch {
  float *k, *v, *dy, *dk, *dv, *state, *dstate, *logw, *u, *dlogw, *du;
  Scratch(Carver carver, int64_t* floats) {
    for (float** block : {&k, &v, &dy, &dk, &dv}) *block = carver.take(kWkvChunk * kChannels);
    for (float** block : {&state, &dstate}) *block = carver.take(3 * kChannels);
    for (float** block : {&logw, &u, &dlogw, &du}) *block = carver.take(kChannels);
    if (floats) *floats = carver.used;
  }
};

/// What the backward pass reads of a token: the sums before it and its weights.
struct Step {
  Floats aa, bb;
  Weights now, next;
};

/// One vector of channels of one chunk; s.state is the state before it, s.dstate (gaa, gbb, rest) after it.
void differentiate(Scratch& s, int64_t q, int64_t c) {
  Step steps[kWkvChunk];
  Floats aa = load(s.state + c), bb = load(s.state + kChannels + c), pp = load(s.state + 2 * kChannels + c);
  const Floats logw = load(s.logw + c), u = load(s.u + c);
  for (int64_t i = 0; i < q; i++) {
    Floats key = load(s.k + i * kChannels + c), value = load(s.v + i * kChannels + c);
    Step& step = steps[i];
    step.aa = aa, step.bb = bb;
    step.now = Weights(pp, u + key), step.next = Weights(pp + logw, key);
    aa = step.next.first * aa + step.next.second * value;
    bb = step.next.first * bb + step.next.second;
    pp = maximumOf(pp + logw, key);
  }
  Floats gaa = load(s.dstate + c), gbb = load(s.dstate + kChannels + c);
  Floats rest = load(s.dstate + 2 * kChannels + c), dlogw{}, du{};
  for (int64_t i = q - 1; i >= 0; i--) {
    const Step& step = steps[i];
    Floats value = load(s.v + i * kChannels + c);
    const Ints kept = step.next.first >= step.next.second;
    Floats byKey = (gaa * value + gbb) * step.next.second;
    dlogw += (gaa * step.aa + gbb * step.bb) * step.next.first + select(kept, rest, Floats{});
    Floats dk = byKey + select(kept, Floats{}, rest);
    Floats dv = gaa * step.next.second;
    rest = select(kept, rest, Floats{});

    Floats inverse = 1.0f / (step.now.first * step.bb + step.now.second);
    Floats y = (step.now.first * step.aa + step.now.second * value) * inverse;
    Floats gradient = load(s.dy + i * kChannels + c) * inverse;
    Floats byBonus = gradient * step.now.second * (value - y);
    du += byBonus;
    store(s.dk + i * kChannels + c, dk + byBonus);
    store(s.dv + i * kChannels + c, dv + gradient * step.now.second);
    gaa = gaa * step.next.first + gradient * step.now.first;
    gbb = gbb * step.next.first - gradient * y * step.now.first;
  }
  store(s.dstate + c, gaa), store(s.dstate + kChannels + c, gbb), store(s.dstate + 2 * kChannels + c, rest);
  store(s.dlogw + c, load(s.dlogw + c) + dlogw), store(s.du + c, load(s.du + c) + du);
}

}  // namespace

void wkv4Grad(const Context& context, const Wkv4Args& args) {
  int64_t floats = 0, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  int64_t blocks = (args.C + kChannels - 1) / kChannels, padded = blocks * kChannels;
  Scratch(Carver{nullptr}, &floats);
  int64_t sums =
      (2 * args.B * padded + context.threads - 1) / context.threads;  // dlogw, du of every batch entry
  float* memory =
      reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats + sums) * sizeof(float)));
  float* partial = memory + context.threads * floats;

  parallelFor(context, args.B * blocks, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, nullptr);
    for (int64_t unit = begin; unit < end; unit++) {
      int64_t batch = unit / blocks, channel = unit % blocks * kChannels;
      int64_t width = least(kChannels, args.C - channel);
      BlockRows k(args.k, batch, channel), v(args.v, batch, channel), dy(args.dy, batch, channel);
      BlockRows dk(args.dk, batch, channel), dv(args.dv, batch, channel);
      copyRows(args.logw + channel, 0, 1, width, s.logw, kChannels);
      copyRows(args.u + channel, 0, 1, width, s.u, kChannels);
      zero(s.dlogw, kChannels), zero(s.du, kChannels), zero(s.dstate, 3 * kChannels);
      const int64_t place = batch * 3 * args.C + channel;
      bool last = args.dstateOut != nullptr;
      for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
        int64_t token = chunk * kWkvChunk, q = least(kWkvChunk, args.T - token);
        readState(args.saved + (batch * chunks + chunk) * 3 * args.C + channel, args.C, width, s.state);
        k.read(token, q, width, kChannels, s.k);
        v.read(token, q, width, kChannels, s.v);
        dy.read(token, q, width, kChannels, s.dy);
        if (last) {
          copyRows(args.dstateOut + place, args.C, 3, width, s.dstate, kChannels);
          // The state after the last token, for what is asked of its exponent beyond its sums.
          for (int64_t c = 0; c < width; c += kLanes) {
            Floats aa = load(s.state + c), bb = load(s.state + kChannels + c);
            Floats pp = load(s.state + 2 * kChannels + c), logw = load(s.logw + c);
            for (int64_t i = 0; i < q; i++) {
              Floats key = load(s.k + i * kChannels + c);
              Weights next(pp + logw, key);
              aa = next.first * aa + next.second * load(s.v + i * kChannels + c);
              bb = next.first * bb + next.second;
              pp = maximumOf(pp + logw, key);
            }
            Floats sumsAsk = load(s.dstate + c) * aa + load(s.dstate + kChannels + c) * bb;
            store(s.dstate + 2 * kChannels + c, load(s.dstate + 2 * kChannels + c) - sumsAsk);
          }
          last = false;
        }
        for (int64_t c = 0; c < width; c += kLanes) differentiate(s, q, c);
        dk.write(s.dk, token, q, width, kChannels);
        dv.write(s.dv, token, q, width, kChannels);
      }
      copyRows(s.dlogw, 0, 1, kChannels, partial + 2 * batch * padded + channel, kChannels);
      copyRows(s.du, 0, 1, kChannels, partial + (2 * batch + 1) * padded + channel, kChannels);
      if (!args.dstateIn) continue;
      // s.state is the first state now.
      for (int64_t c = 0; c < width; c += kLanes) {
        Floats byPower = load(s.dstate + c) * load(s.state + c) +
                         load(s.dstate + kChannels + c) * load(s.state + kChannels + c);
        store(s.dstate + 2 * kChannels + c, load(s.dstate + 2 * kChannels + c) + byPower);
      }
      writeRows(s.dstate, kChannels, 3, width, 1, args.dstateIn + place, args.C);
    }
  });
  for (int64_t c = 0; c < args.C; c++) {
    float dlogw = 0, du = 0;
    for (int64_t batch = 0; batch < args.B; batch++) {
      dlogw += partial[2 * batch * padded + c];
      du += partial[(2 * batch + 1) * padded + c];
    }
    args.dlogw[c] = dlogw, args.du[c] = du;
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
