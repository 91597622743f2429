// The plan of one `fused` instruction: built once by `host/prepareFused.cc`, run by `fused.cc`.
//
// The iteration space is collapsed and cut into blocks of `blockRows` x `blockColumns` elements over two of
// its dimensions. A register holds one block, packed row by row, so that every operation is one flat loop in
// L1 or L2. Blocks are grouped: blocks of one tile write the same reduced elements; `chunks` splits long
// reductions into partial sums whose number does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "fusedOps.h"
#include "kernels.h"

namespace crossover {

constexpr int kMaxSteps = 4096;

/// A loop over part of the space: positions of one dimension, or blocks along it.
struct FusedLoop {
  int64_t count;  // iterations
  int64_t step;   // positions per iteration
  int dim;        // of the plan's dims
};

struct FusedOperand {
  void* data;
  Storage storage;
  int64_t stride[8];  // per plan dim
  int slot;           // inputs: slot it is copied to unless it can be read in place; -1 when unused
  bool inPlace;       // its blocks are contiguous f32 (or i64 lane and storage)
};

struct FusedOutput {
  FusedOperand place;
  int reduction;  // 0 none, 1 sum, 2 max, 3 min, 4 prod
  int value;      // value number it stores
  bool accumulate;
  bool direct;          // the value's step writes straight into the output
  int64_t accumulator;  // first element of its accumulators in a tile
};

/// A value is an input (0 .. inputs - 1), an immediate, or the result of a step.
struct FusedStep {
  FusedOp op;
  int result;      // value number
  int operand[3];  // value numbers; index: operand[0] is the plan dim, or -1 for a dimension of size 1
  int slot;        // where the result goes
  int output;      // output whose memory it is written to instead, or -1
};

enum class FusedValueKind { input, immediate, step };
struct FusedValue {
  FusedValueKind kind;
  int index;      // input, immediate or step
  double number;  // immediate
};

struct FusedPlan {
  bool integer;  // lane: int64 instead of float
  int rank;
  int64_t shape[8];
  bool reduced[8];
  int rowDim, columnDim;  // plan dims of a block; rowDim may be -1
  int64_t blockRows, blockColumns;
  bool transposed;                                // some input is contiguous along rows, not columns
  std::vector<FusedLoop> tileLoops, reduceLoops;  // outer to inner
  int64_t tiles, blocksPerTile, chunks;
  std::vector<FusedOperand> inputs;
  std::vector<FusedOutput> outputs;
  std::vector<FusedStep> steps;
  std::vector<FusedValue> values;
  int slots;
  bool reduces;
  int64_t accumulators;                // elements per tile, all outputs
  mutable std::vector<char> partials;  // [chunks][tiles][accumulators] when chunks > 1
};

}  // namespace crossover
