// Element-wise programs with reductions, a block of registers at a time; see fused.h for the plan.
#include "fused.h"

#include "blockOps.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

template <class T>
CROSSOVER_INLINE T fromBf16(uint16_t bits) {
  return static_cast<T>(math::asFloat(static_cast<int32_t>(static_cast<uint32_t>(bits) << 16)));
}
CROSSOVER_INLINE uint16_t toBf16(float value) {
  const auto bits = static_cast<uint32_t>(math::asBits(value));
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
}

// Conversions between storage and lane.
template <class T>
CROSSOVER_INLINE void convert(T& to, float from) {
  to = static_cast<T>(from);
}
template <class T>
CROSSOVER_INLINE void convert(T& to, int64_t from) {
  to = static_cast<T>(from);
}
template <class T>
CROSSOVER_INLINE void convert(T& to, uint8_t from) {
  to = static_cast<T>(from);
}
template <class T>
CROSSOVER_INLINE void convert(T& to, uint16_t from) {
  to = fromBf16<T>(from);
}
template <class T>
CROSSOVER_INLINE void store(float& to, T from) {
  to = static_cast<float>(from);
}
template <class T>
CROSSOVER_INLINE void store(int64_t& to, T from) {
  to = static_cast<int64_t>(from);
}
template <class T>
CROSSOVER_INLINE void store(uint8_t& to, T from) {
  to = from != T(0) ? 1 : 0;
}
template <class T>
CROSSOVER_INLINE void store(uint16_t& to, T from) {
  to = toBf16(static_cast<float>(from));
}

/// Where a block stands: extents, and first position along each plan dim.
struct Block {
  int64_t rows, columns;
  int64_t position[8];
};

/// Copies a strided block into a packed register.
template <class T, class S>
void loadBlock(T* to, const S* from, int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
  if (columnStride == 1) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) convert(to[r * columns + c], from[r * rowStride + c]);
    }
  } else if (columnStride == 0) {
    for (int64_t r = 0; r < rows; ++r) {
      T value;
      convert(value, from[r * rowStride]);
      for (int64_t c = 0; c < columns; ++c) to[r * columns + c] = value;
    }
  } else if (rowStride == 1) {
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) convert(to[r * columns + c], from[c * columnStride + r]);
    }
  } else {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c)
        convert(to[r * columns + c], from[r * rowStride + c * columnStride]);
    }
  }
}

template <class T, class S>
void storeBlock(S* to, const T* from, int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride,
                bool accumulate) {
  if (accumulate) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        S& place = to[r * rowStride + c * columnStride];
        T before;
        convert(before, place);
        store(place, static_cast<T>(before + from[r * columns + c]));
      }
    }
  } else if (columnStride == 1) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) store(to[r * rowStride + c], from[r * columns + c]);
    }
  } else if (rowStride == 1) {
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) store(to[c * columnStride + r], from[r * columns + c]);
    }
  } else {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c)
        store(to[r * rowStride + c * columnStride], from[r * columns + c]);
    }
  }
}

template <class T>
void loadAny(T* to, Storage storage, const void* data, int64_t offset, int64_t rows, int64_t columns,
             int64_t rowStride, int64_t columnStride) {
  switch (storage) {
    case Storage::f32:
      return loadBlock(to, static_cast<const float*>(data) + offset, rows, columns, rowStride, columnStride);
    case Storage::bf16:
      return loadBlock(to, static_cast<const uint16_t*>(data) + offset, rows, columns, rowStride,
                       columnStride);
    case Storage::i64:
      return loadBlock(to, static_cast<const int64_t*>(data) + offset, rows, columns, rowStride,
                       columnStride);
    case Storage::u8:
      return loadBlock(to, static_cast<const uint8_t*>(data) + offset, rows, columns, rowStride,
                       columnStride);
  }
}

template <class T>
void storeAny(const FusedOperand& place, int64_t offset, const T* from, int64_t rows, int64_t columns,
              int64_t rowStride, int64_t columnStride, bool accumulate) {
  switch (place.storage) {
    case Storage::f32:
      return storeBlock(static_cast<float*>(place.data) + offset, from, rows, columns, rowStride,
                        columnStride, accumulate);
    case Storage::bf16:
      return storeBlock(static_cast<uint16_t*>(place.data) + offset, from, rows, columns, rowStride,
                        columnStride, accumulate);
    case Storage::i64:
      return storeBlock(static_cast<int64_t*>(place.data) + offset, from, rows, columns, rowStride,
                        columnStride, accumulate);
    case Storage::u8:
      return storeBlock(static_cast<uint8_t*>(place.data) + offset, from, rows, columns, rowStride,
                        columnStride, accumulate);
  }
}

/// Identity of a reduction, and two values combined.
template <class T>
T identity(int reduction) {
  if (reduction == 1) return T(0);
  if (reduction == 4) return T(1);
  if constexpr (sizeof(T) == 4) {
    return reduction == 2 ? math::asFloat(static_cast<int32_t>(0xff800000u)) : math::asFloat(0x7f800000);
  } else {
    return reduction == 2 ? INT64_MIN : INT64_MAX;
  }
}
template <int Reduction, class T>
CROSSOVER_INLINE T combine(T a, T b) {
  if constexpr (Reduction == 1) return a + b;
  if constexpr (Reduction == 2) return blockOps::maximum(a, b);
  if constexpr (Reduction == 3) return blockOps::minimum(a, b);
  if constexpr (Reduction == 4) return a * b;
}

/// All of n values, in 32 interleaved lanes.
template <int Reduction, class T>
T reduceFlat(const T* x, int64_t n) {
  constexpr int kLanes = 32;
  T total = identity<T>(Reduction);
  int64_t i = 0;
  if (n >= kLanes) {
    T lanes[kLanes];
    for (int k = 0; k < kLanes; ++k) lanes[k] = x[k];
    for (i = kLanes; i + kLanes <= n; i += kLanes) {
      for (int k = 0; k < kLanes; ++k) lanes[k] = combine<Reduction>(lanes[k], x[i + k]);
    }
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int k = 0; k < width; ++k) lanes[k] = combine<Reduction>(lanes[k], lanes[k + width]);
    }
    total = lanes[0];
  }
  for (; i < n; ++i) total = combine<Reduction>(total, x[i]);
  return total;
}

/// Adds a block to its accumulators [kept rows][kept columns].
template <int Reduction, class T>
void reduceBlock(T* sums, const T* x, int64_t rows, int64_t columns, bool rowsReduced, bool columnsReduced) {
  if (columnsReduced && rowsReduced) {
    sums[0] = combine<Reduction>(sums[0], reduceFlat<Reduction>(x, rows * columns));
  } else if (columnsReduced) {
    for (int64_t r = 0; r < rows; ++r) {
      sums[r] = combine<Reduction>(sums[r], reduceFlat<Reduction>(x + r * columns, columns));
    }
  } else if (rowsReduced) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) sums[c] = combine<Reduction>(sums[c], x[r * columns + c]);
    }
  } else {
    for (int64_t i = 0; i < rows * columns; ++i) sums[i] = combine<Reduction>(sums[i], x[i]);
  }
}

template <class T>
void reduceAny(int reduction, T* sums, const T* x, int64_t rows, int64_t columns, bool rowsReduced,
               bool columnsReduced) {
  switch (reduction) {
    case 1:
      return reduceBlock<1>(sums, x, rows, columns, rowsReduced, columnsReduced);
    case 2:
      return reduceBlock<2>(sums, x, rows, columns, rowsReduced, columnsReduced);
    case 3:
      return reduceBlock<3>(sums, x, rows, columns, rowsReduced, columnsReduced);
    default:
      return reduceBlock<4>(sums, x, rows, columns, rowsReduced, columnsReduced);
  }
}

/// One thread's registers and the loop over its blocks.
template <class T>
class Interpreter {
 public:
  Interpreter(const FusedPlan& plan, char* memory) : plan_(plan) {
    const auto take = [&](std::size_t bytes) {
      char* start = memory;
      memory += Context::scratchStride(bytes);
      return start;
    };
    values_ =
        reinterpret_cast<blockOps::Operand<T>*>(take(plan.values.size() * sizeof(blockOps::Operand<T>)));
    loaded_ = reinterpret_cast<int64_t*>(take((plan.inputs.size() + 1) * sizeof(int64_t) * 3));
    registers_ =
        reinterpret_cast<T*>(take(sizeof(T) * static_cast<std::size_t>(slotSize(plan) * plan.slots)));
    spare_ = reinterpret_cast<T*>(take(sizeof(T) * static_cast<std::size_t>(slotSize(plan) * 3)));
    sums_ = reinterpret_cast<T*>(take(sizeof(T) * static_cast<std::size_t>(plan.accumulators + 1)));
    for (std::size_t i = 0; i < plan.inputs.size() * 3; ++i) loaded_[i] = -1;
    for (std::size_t i = 0; i < plan.values.size(); ++i) {
      values_[i] = {nullptr, T(0), false};
      if (plan.values[i].kind == FusedValueKind::immediate)
        values_[i] = {nullptr, number(plan.values[i].number), true};
    }
  }

  static std::size_t bytes(const FusedPlan& plan) {
    const auto round = [](std::size_t n) { return Context::scratchStride(n); };
    return round(plan.values.size() * sizeof(blockOps::Operand<T>)) +
           round((plan.inputs.size() + 1) * sizeof(int64_t) * 3) +
           round(sizeof(T) * static_cast<std::size_t>(slotSize(plan) * plan.slots)) +
           round(sizeof(T) * static_cast<std::size_t>(slotSize(plan) * 3)) +
           round(sizeof(T) * static_cast<std::size_t>(plan.accumulators + 1));
  }

  /// Runs part `chunk` of the blocks of tile `tile`. Returns false when the run was stopped.
  bool run(const Context& context, int64_t tile, int64_t chunk) {
    Block block{};
    locate(plan_.tileLoops, tile, block);
    for (const FusedOutput& output : plan_.outputs) {
      if (output.reduction == 0) continue;
      const int64_t count = keptElements();
      for (int64_t i = 0; i < count; ++i) sums_[output.accumulator + i] = identity<T>(output.reduction);
    }
    const int64_t begin = plan_.blocksPerTile * chunk / plan_.chunks;
    const int64_t end = plan_.blocksPerTile * (chunk + 1) / plan_.chunks;
    for (int64_t b = begin; b < end; ++b) {
      if ((b & 63) == 63 && context.stopped()) return false;
      locate(plan_.reduceLoops, b, block);
      runBlock(block);
    }
    if (!plan_.reduces) return true;
    if (plan_.chunks == 1) {
      storeSums(block, sums_);
    } else {
      T* partial =
          reinterpret_cast<T*>(plan_.partials.data()) + (chunk * plan_.tiles + tile) * plan_.accumulators;
      for (int64_t i = 0; i < plan_.accumulators; ++i) partial[i] = sums_[i];
    }
    return true;
  }

  /// Adds up the partial sums of a tile, in order, and stores them.
  void finish(int64_t tile) {
    Block block{};
    locate(plan_.tileLoops, tile, block);
    locate(plan_.reduceLoops, 0, block);
    const T* partials = reinterpret_cast<const T*>(plan_.partials.data());
    for (const FusedOutput& output : plan_.outputs) {
      if (output.reduction == 0) continue;
      const int64_t count = keptElements();
      T* sums = sums_ + output.accumulator;
      for (int64_t i = 0; i < count; ++i) sums[i] = identity<T>(output.reduction);
      for (int64_t chunk = 0; chunk < plan_.chunks; ++chunk) {
        reduceAny(output.reduction, sums,
                  partials + (chunk * plan_.tiles + tile) * plan_.accumulators + output.accumulator, 1, count,
                  false, false);
      }
    }
    storeSums(block, sums_);
  }

 private:
  static int64_t slotSize(const FusedPlan& plan) {
    return (plan.blockRows * plan.blockColumns + 15) / 16 * 16;
  }
  static T number(double value) {
    if constexpr (sizeof(T) == 4) return static_cast<float>(value);
    return value >= 9.2e18 ? INT64_MAX : value > -9.2e18 ? static_cast<int64_t>(value) : INT64_MIN;
  }
  bool rowsReduced() const { return plan_.rowDim >= 0 && plan_.reduced[plan_.rowDim]; }
  bool columnsReduced() const { return plan_.reduced[plan_.columnDim]; }
  int64_t keptElements() const {
    return (plan_.rowDim >= 0 && !rowsReduced() ? plan_.blockRows : 1) *
           (columnsReduced() ? 1 : plan_.blockColumns);
  }

  /// Positions of iteration `index` of a nest of loops.
  void locate(const std::vector<FusedLoop>& loops, int64_t index, Block& block) const {
    for (std::size_t i = loops.size(); i-- > 0;) {
      const FusedLoop& loop = loops[i];
      const int64_t at = index % loop.count;
      index /= loop.count;
      block.position[loop.dim] = at * loop.step;
    }
    const auto extent = [&](int dim, int64_t most) {
      const int64_t left = plan_.shape[dim] - block.position[dim];
      return left < most ? left : most;
    };
    block.columns = extent(plan_.columnDim, plan_.blockColumns);
    block.rows = plan_.rowDim >= 0 ? extent(plan_.rowDim, plan_.blockRows) : 1;
  }

  int64_t offset(const FusedOperand& operand, const Block& block) const {
    int64_t sum = 0;
    for (int d = 0; d < plan_.rank; ++d) sum += block.position[d] * operand.stride[d];
    return sum;
  }
  int64_t rowStride(const FusedOperand& operand) const {
    return plan_.rowDim >= 0 ? operand.stride[plan_.rowDim] : 0;
  }

  void loadInput(std::size_t i, const Block& block) {
    const FusedOperand& input = plan_.inputs[i];
    const int64_t at = offset(input, block);
    if (input.inPlace) {
      values_[i].data = static_cast<const T*>(input.data) + at;
      return;
    }
    if (input.slot < 0) return;
    int64_t* loaded = loaded_ + i * 3;
    if (loaded[0] == at && loaded[1] == block.rows && loaded[2] == block.columns) return;
    loaded[0] = at, loaded[1] = block.rows, loaded[2] = block.columns;
    T* to = registers_ + input.slot * slotSize(plan_);
    const int64_t columnStride = input.stride[plan_.columnDim];
    if (rowStride(input) == 0 && columnStride == 0) {
      T value;
      loadAny(&value, input.storage, input.data, at, 1, 1, 0, 0);
      values_[i] = {to, value, true};
      return;
    }
    loadAny(to, input.storage, input.data, at, block.rows, block.columns, rowStride(input), columnStride);
    values_[i] = {to, T(0), false};
  }

  void runBlock(const Block& block) {
    const int64_t n = block.rows * block.columns;
    for (std::size_t i = 0; i < plan_.inputs.size(); ++i) loadInput(i, block);
    for (const FusedStep& step : plan_.steps) {
      T* result = registers_ + step.slot * slotSize(plan_);
      if (step.output >= 0) {
        const FusedOperand& place = plan_.outputs[static_cast<std::size_t>(step.output)].place;
        result = static_cast<T*>(place.data) + offset(place, block);
      }
      values_[step.result].data = result;
      if (step.op == FusedOp::index) {
        index(step, block, result);
      } else {
        static const blockOps::Operand<T> none{nullptr, T(0), true};
        const auto operand = [&](int a) -> const blockOps::Operand<T>& {
          return step.operand[a] >= 0 ? values_[step.operand[a]] : none;
        };
        blockOps::run<T>(step.op, result, operand(0), operand(1), operand(2), n, spare_, slotSize(plan_));
      }
    }
    for (const FusedOutput& output : plan_.outputs) {
      if (output.direct) continue;
      const T* value = materialised(values_[output.value], n);
      if (output.reduction == 0) {
        storeAny(output.place, offset(output.place, block), value, block.rows, block.columns,
                 rowStride(output.place), output.place.stride[plan_.columnDim], output.accumulate);
      } else {
        reduceAny(output.reduction, sums_ + output.accumulator, value, block.rows, block.columns,
                  rowsReduced() || plan_.rowDim < 0, columnsReduced());
      }
    }
  }

  const T* materialised(const blockOps::Operand<T>& value, int64_t n) {
    if (!value.scalar) return value.data;
    for (int64_t i = 0; i < n; ++i) spare_[i] = value.number;
    return spare_;
  }

  void index(const FusedStep& step, const Block& block, T* result) const {
    const int dim = step.operand[0];
    const int64_t first = dim < 0 ? 0 : block.position[dim];
    const int64_t perRow = dim >= 0 && dim == plan_.rowDim ? 1 : 0,
                  perColumn = dim == plan_.columnDim ? 1 : 0;
    for (int64_t r = 0; r < block.rows; ++r) {
      for (int64_t c = 0; c < block.columns; ++c) {
        result[r * block.columns + c] = static_cast<T>(first + perRow * r + perColumn * c);
      }
    }
  }

  void storeSums(const Block& block, const T* sums) const {
    const int64_t rows = plan_.rowDim >= 0 && !rowsReduced() ? block.rows : 1;
    const int64_t columns = columnsReduced() ? 1 : block.columns;
    for (const FusedOutput& output : plan_.outputs) {
      if (output.reduction == 0) continue;
      // Reduced dimensions have stride 0 in the output, so their position does not matter.
      storeAny(output.place, offset(output.place, block), sums + output.accumulator, rows, columns,
               rowStride(output.place), output.place.stride[plan_.columnDim], output.accumulate);
    }
  }

  const FusedPlan& plan_;
  blockOps::Operand<T>* values_;
  int64_t* loaded_;  // per input: offset, rows, columns of the block its register holds
  T *registers_, *spare_, *sums_;
};

template <class T>
void runPlan(const Context& context, const FusedPlan& plan) {
  const std::size_t perThread = Interpreter<T>::bytes(plan);
  char* memory = context.scratch(perThread);
  const int64_t tasks = plan.tiles * plan.chunks;
  const int64_t blocks = plan.blocksPerTile / plan.chunks;
  const int64_t work = (blocks > 0 ? blocks : 1) * plan.blockRows * plan.blockColumns;
  const int64_t grain = 1 + 65536 / (work > 0 ? work : 1);
  parallelFor(context, tasks, grain, [&](int64_t begin, int64_t end, int thread) {
    Interpreter<T> interpreter(plan,
                               memory + static_cast<std::size_t>(thread) * Context::scratchStride(perThread));
    for (int64_t task = begin; task < end; ++task) {
      if (!interpreter.run(context, task / plan.chunks, task % plan.chunks)) return;
    }
  });
  if (plan.chunks == 1 || context.stopped()) return;
  Interpreter<T> interpreter(plan, memory);
  for (int64_t tile = 0; tile < plan.tiles; ++tile) interpreter.finish(tile);
}

}  // namespace

void fused(const Context& context, const FusedArgs& args) {
  if (args.plan->integer) {
    runPlan<int64_t>(context, *args.plan);
  } else {
    runPlan<float>(context, *args.plan);
  }
}

}  // namespace crossover::CROSSOVER_ARCH
