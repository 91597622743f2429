// LSTM, backward through time, from the last token to the first: the gradient of h_t is dy_t plus that of the
// next token's gates times W; of c_t, what h_t and c_{t+1} ask of it. Gradients of the weights are one
// product over all tokens afterwards, made elsewhere. All outputs are assigned.
#include "lstm_step.h"
#include "math.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// Places of kLanes units of one batch entry and token; the four gates lie H floats apart.
struct Units {
  const float *active, *cell, *before;  // before: c_{t-1}, or null for zero
  float *dgates, *rounded;              // the gradient, and where the next product reads it
  float* dcell;                         // in: of c_t by later tokens; out: of c_{t-1}
};

void differentiate(const Units& at, const float* dh, int64_t H, int64_t width) {
  const float *enter = at.active, *forget = enter + H, *content = forget + H, *leave = content + H;
  float *dEnter = at.dgates, *dForget = dEnter + H, *dContent = dForget + H, *dLeave = dContent + H;
  for (int64_t i = 0; i < width; i++) {
    const float out = math::tanh(at.cell[i]), e = enter[i], f = forget[i], c = content[i], o = leave[i];
    const float dc = at.dcell[i] + dh[i] * o * (1 - out * out);
    dEnter[i] = dc * c * e * (1 - e);
    dForget[i] = at.before ? dc * at.before[i] * f * (1 - f) : 0;
    dContent[i] = dc * e * (1 - c * c);
    dLeave[i] = dh[i] * out * o * (1 - o);
    at.dcell[i] = dc * f;
  }
}

}  // namespace

void lstmGrad(const Context& context, const LstmArgs& args) {
  const int64_t B = args.B, T = args.T, H = args.H, blocks = (H + kPanel - 1) / kPanel;
  const int64_t square = 4 * H * kPanel, padded = blocks * kPanel;
  // Panels [blocks, 4H, kPanel], gradients of the gates of two tokens [B, 4H], of cells [B, padded].
  float* panels = sharedMemory(context, blocks * square + B * (8 * H + padded));
  float *later = panels + blocks * square, *now = later + B * 4 * H, *dcell = now + B * 4 * H;

  parallelFor(context, blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; block++) {
      const int64_t unit = block * kPanel, width = least(kPanel, H - unit);
      copyRows(args.weight + unit, H, 4 * H, width, panels + block * square, kPanel);
      if (args.bf16) roundToBf16(panels + block * square, square);
      for (int64_t b = 0; b < B; b++) {
        zero(dcell + b * padded + unit, kPanel);
        if (args.dcellOut) {
          copyRows(args.dcellOut + b * H + unit, 0, 1, width, dcell + b * padded + unit, kPanel);
        }
      }
    }
  });

  /// Gradient of h by the next token's gates, for `rows` rows of a block of units.
  const auto byNext = [&](int64_t block, int64_t row, int64_t rows, Floats(&sums)[kRows][4]) {
    rowsProduct(rows, later + row * 4 * H, 4 * H, panels + block * square, 4 * H, sums);
  };
  for (int64_t t = T - 1; t >= 0 && !context.stopped(); t--) {
    shareStep(context, blocks, B * 4 * H * H, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; block++) {
        const int64_t unit = block * kPanel, width = least(kPanel, H - unit);
        for (int64_t row = 0; row < B; row += kRows) {
          const int64_t rows = least<int64_t>(kRows, B - row);
          Floats sums[kRows][4] = {};
          if (t + 1 < T) byNext(block, row, rows, sums);
          for (int64_t r = 0; r < rows; r++) {
            const int64_t b = row + r, token = b * T + t;
            float dh[kPanel];
            for (int64_t part = 0; part < 4; part++) store(dh + part * kLanes, sums[r][part]);
            if (args.dy.data) {
              const float* dy = args.dy.data + b * args.dy.stride[0] + t * args.dy.stride[1] + unit;
              for (int64_t i = 0; i < width; i++) dh[i] += dy[i];
            }
            float* dgates = args.dgates.data + b * args.dgates.stride[0] + t * args.dgates.stride[1] + unit;
            const float* first = args.c0 ? args.c0 + b * H + unit : nullptr;
            const float* cell = args.cells + token * H + unit;
            Units at{args.active + token * 4 * H + unit,
                     cell,
                     t > 0 ? cell - H : first,
                     dgates,
                     now + b * 4 * H + unit,
                     dcell + b * padded + unit};
            differentiate(at, dh, H, width);
            for (int64_t gate = 0; gate < 4; gate++) {
              std::memcpy(at.rounded + gate * H, dgates + gate * H,
                          static_cast<std::size_t>(width) * sizeof(float));
              if (args.bf16) roundToBf16(at.rounded + gate * H, width);
            }
          }
        }
      }
    });
    std::swap(now, later);
  }
  for (int64_t block = 0; block < blocks && !context.stopped(); block++) {
    const int64_t unit = block * kPanel, width = least(kPanel, H - unit);
    for (int64_t row = 0; row < B; row += kRows) {
      const int64_t rows = least<int64_t>(kRows, B - row);
      Floats sums[kRows][4] = {};
      if (args.dh0) byNext(block, row, rows, sums);
      for (int64_t r = 0; r < rows; r++) {
        const std::size_t bytes = static_cast<std::size_t>(width) * sizeof(float);
        float dh[kPanel];
        for (int64_t part = 0; part < 4; part++) store(dh + part * kLanes, sums[r][part]);
        if (args.dh0) std::memcpy(args.dh0 + (row + r) * H + unit, dh, bytes);
        if (args.dc0) std::memcpy(args.dc0 + (row + r) * H + unit, dcell + (row + r) * padded + unit, bytes);
      }
    }
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
