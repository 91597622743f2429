// LSTM, forward (Hochreiter and Schmidhuber 1997, with forget gates): for every token
//   i, f, o = sigmoid(..), g = tanh(..) of gates_t + h_{t-1} W^T;   c_t = f c_{t-1} + i g;   h_t = o
//   tanh(c_t)
// A panel of the weights holds the four gates of kLanes units, so that a thread finishes its units of a token
// alone; threads meet once per token.
#include "lstm_step.h"
#include "math.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// The four gates of the units of a panel, [rows, 4, kLanes], become active in place; cells [rows, kLanes]
/// advance and `h` receives the outputs.
void activate(float* gates, float* cells, float* h, int64_t rows) {
  for (int64_t r = 0; r < rows; r++, gates += kPanel, cells += kLanes, h += kLanes) {
#pragma omp simd
    for (int64_t i = 0; i < kLanes; i++) {
      const float enter = math::sigmoid(gates[i]), forget = math::sigmoid(gates[kLanes + i]);
      const float content = math::tanh(gates[2 * kLanes + i]), leave = math::sigmoid(gates[3 * kLanes + i]);
      const float cell = forget * cells[i] + enter * content;
      gates[i] = enter, gates[kLanes + i] = forget, gates[2 * kLanes + i] = content,
      gates[3 * kLanes + i] = leave;
      cells[i] = cell;
      h[i] = leave * math::tanh(cell);
    }
  }
}

}  // namespace

void lstm(const Context& context, const LstmArgs& args) {
  const int64_t B = args.B, T = args.T, H = args.H, blocks = (H + kLanes - 1) / kLanes;
  const int64_t square = H * kPanel, padded = blocks * kLanes;
  // Panels [blocks, H, 4, kLanes], h before and after a token [B, H], cells [blocks, B, kLanes].
  float* panels = sharedMemory(context, blocks * square + 3 * B * padded);
  float *before = panels + blocks * square, *after = before + B * padded, *cells = after + B * padded;

  parallelFor(context, blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; block++) {
      float* panel = panels + block * square;
      const int64_t unit = block * kLanes, width = least<int64_t>(kLanes, H - unit);
      zero(panel, square);
      for (int64_t gate = 0; gate < 4; gate++) {
        for (int64_t i = 0; i < width; i++) {
          const float* row = args.weight + (gate * H + unit + i) * H;
          for (int64_t k = 0; k < H; k++) panel[k * kPanel + gate * kLanes + i] = row[k];
        }
      }
      if (args.bf16) roundToBf16(panel, square);
      for (int64_t b = 0; b < B; b++) {
        float* cell = cells + (block * B + b) * kLanes;
        zero(cell, kLanes);
        if (args.c0)
          std::memcpy(cell, args.c0 + b * H + unit, static_cast<std::size_t>(width) * sizeof(float));
      }
    }
  });
  for (int64_t b = 0; b < B; b++) {
    zero(before + b * H, H);
    if (!args.h0) continue;
    std::memcpy(before + b * H, args.h0 + b * H, static_cast<std::size_t>(H) * sizeof(float));
    if (args.bf16) roundToBf16(before + b * H, H);
  }

  for (int64_t t = 0; t < T && !context.stopped(); t++) {
    shareStep(context, blocks, B * 4 * H * H, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; block++) {
        const int64_t unit = block * kLanes, width = least<int64_t>(kLanes, H - unit);
        const std::size_t bytes = static_cast<std::size_t>(width) * sizeof(float);
        for (int64_t row = 0; row < B; row += kRows) {
          const int64_t rows = least<int64_t>(kRows, B - row);
          Floats sums[kRows][4];
          for (int64_t r = 0; r < rows; r++) {
            const float* from =
                args.gates.data + (row + r) * args.gates.stride[0] + t * args.gates.stride[1] + unit;
            for (int64_t gate = 0; gate < 4; gate++) sums[r][gate] = loadPart(from + gate * H, width);
          }
          rowsProduct(rows, before + row * H, H, panels + block * square, H, sums);
          float gates[kRows * kPanel], h[kRows * kLanes];
          for (int64_t r = 0; r < rows; r++) {
            for (int64_t gate = 0; gate < 4; gate++) store(gates + r * kPanel + gate * kLanes, sums[r][gate]);
          }
          float* cell = cells + (block * B + row) * kLanes;
          activate(gates, cell, h, rows);
          for (int64_t r = 0; r < rows; r++) {
            const int64_t b = row + r;
            std::memcpy(args.y.data + b * args.y.stride[0] + t * args.y.stride[1] + unit, h + r * kLanes,
                        bytes);
            if (args.active) {
              float* to = args.active + (b * T + t) * 4 * H + unit;
              for (int64_t gate = 0; gate < 4; gate++) {
                std::memcpy(to + gate * H, gates + r * kPanel + gate * kLanes, bytes);
              }
              std::memcpy(args.cells + (b * T + t) * H + unit, cell + r * kLanes, bytes);
            }
            if (args.bf16) roundToBf16(h + r * kLanes, kLanes);
            std::memcpy(after + b * H + unit, h + r * kLanes, bytes);
          }
        }
      }
    });
    std::swap(before, after);
  }
  if (!args.cellOut) return;
  for (int64_t block = 0; block < blocks; block++) {
    const int64_t unit = block * kLanes, width = least<int64_t>(kLanes, H - unit);
    for (int64_t b = 0; b < B; b++) {
      std::memcpy(args.cellOut + b * H + unit, cells + (block * B + b) * kLanes,
                  static_cast<std::size_t>(width) * sizeof(float));
    }
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
