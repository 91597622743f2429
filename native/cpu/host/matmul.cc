// Matrix products. With oneDNN, primitives are made when the program is loaded; without it, and for products
// that oneDNN has no fast code for, the `gemm` kernel serves.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "dispatch.h"
#include "prepare.h"

#ifdef CROSSOVER_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#endif

namespace crossover {
namespace {

/// A product with its batch dimensions collapsed, and broadcast batches of a over one matrix b folded into
/// rows.
GemmArgs describe(const Site& site) {
  const TensorRef &c = *site.tensor(0), &a = *site.tensor(1), &b = *site.tensor(2);
  const TensorRef* residual = site.tensor(4);
  const int m = c.rank - 2, n = c.rank - 1;
  GemmArgs args{};
  args.m = c.shape[m], args.n = c.shape[n], args.k = a.shape[n];
  args.alpha = static_cast<float>(site.real(0));
  args.accumulate = site.integer(0) != 0, args.bf16 = site.integer(1) != 0;
  args.c = site.data(0), args.a = site.data(1), args.b = site.data(2), args.bias = site.data(3);
  args.residual = site.data(4);
  // A dimension of one element may state any stride.
  const auto pick = [](const TensorRef& t, int d, int64_t otherwise) {
    return t.shape[d] > 1 ? t.strides[d] : otherwise;
  };
  args.cRow = pick(c, m, args.n);
  args.residualRow = residual == nullptr ? 0 : pick(*residual, m, args.n);
  args.aColumn = pick(a, n, 1), args.aRow = pick(a, m, args.aColumn == 1 ? std::max<int64_t>(args.k, 1) : 1);
  args.bColumn = pick(b, n, 1), args.bRow = pick(b, m, args.bColumn == 1 ? std::max<int64_t>(args.n, 1) : 1);
  if (args.aColumn != 1 && args.aRow != 1 && args.m == 1) args.aRow = 1;
  if (args.bColumn != 1 && args.bRow != 1 && args.k == 1) args.bRow = 1;
  for (int d = 0; d < m; ++d) {
    if (c.shape[d] == 1) continue;
    const int64_t r = residual == nullptr ? 0 : residual->strides[d];
    const int last = args.batchRank - 1;
    if (last >= 0 && args.cBatch[last] == c.strides[d] * c.shape[d] &&
        args.aBatch[last] == a.strides[d] * c.shape[d] && args.bBatch[last] == b.strides[d] * c.shape[d] &&
        args.residualBatch[last] == r * c.shape[d]) {
      args.batch[last] *= c.shape[d];
      args.cBatch[last] = c.strides[d], args.aBatch[last] = a.strides[d], args.bBatch[last] = b.strides[d];
      args.residualBatch[last] = r;
      continue;
    }
    args.batch[args.batchRank] = c.shape[d];
    args.cBatch[args.batchRank] = c.strides[d], args.aBatch[args.batchRank] = a.strides[d];
    args.bBatch[args.batchRank] = b.strides[d], args.residualBatch[args.batchRank] = r;
    ++args.batchRank;
  }
  const int last = args.batchRank - 1;
  if (last >= 0 && args.bBatch[last] == 0 && args.cBatch[last] == args.cRow * args.m &&
      args.aBatch[last] == args.aRow * args.m &&
      (residual == nullptr || args.residualBatch[last] == args.residualRow * args.m)) {
    args.m *= args.batch[last];
    --args.batchRank;
  }
  return args;
}

}  // namespace

#ifdef CROSSOVER_ONEDNN

namespace {

using dnnl::memory;
/// Operations of one oneDNN call, which cannot be stopped: some 70 ms on two slow cores.
constexpr double kLargestCall = 5e9;
constexpr int64_t kBlockMultiple = 48;  // whole register blocks of every instruction set

dnnl::engine& cpuEngine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

/// One oneDNN product.
struct Product {
  dnnl::matmul primitive;
  std::unordered_map<int, memory> arguments;
  /// Inputs rounded to bf16 into scratch before the product.
  std::vector<std::pair<dnnl::reorder, std::pair<memory, memory>>> staged;
  memory::desc scratchpad;
  std::size_t scratchBytes = 0;
  std::vector<std::size_t> stagedOffsets;
};

std::size_t aligned(std::size_t bytes) { return (bytes + 63) & ~static_cast<std::size_t>(63); }

/// Dims and strides of a batch of matrices; batch strides of 0 become dims of 1, which oneDNN broadcasts.
memory::desc describeMatrices(const GemmArgs& args, const int64_t* batchStrides, int64_t rows,
                              int64_t columns, int64_t rowStride, int64_t columnStride) {
  memory::dims dims, strides;
  for (int d = 0; d < args.batchRank; ++d) {
    dims.push_back(batchStrides[d] == 0 ? 1 : args.batch[d]);
    strides.push_back(batchStrides[d] == 0 ? std::max(rowStride * rows, columnStride * columns)
                                           : batchStrides[d]);
  }
  dims.push_back(rows), dims.push_back(columns);
  strides.push_back(rowStride), strides.push_back(columnStride);
  return memory::desc(dims, memory::data_type::f32, strides);
}

/// Makes the primitive, or null when oneDNN only has its reference code for this layout.
std::unique_ptr<Product> makeProduct(const GemmArgs& args) {
  const bool bf16 = args.bf16;
  const memory::desc c = describeMatrices(args, args.cBatch, args.m, args.n, args.cRow, 1);
  const memory::desc a = describeMatrices(args, args.aBatch, args.m, args.k, args.aRow, args.aColumn);
  const memory::desc b = describeMatrices(args, args.bBatch, args.k, args.n, args.bRow, args.bColumn);
  const auto rounded = [&](const memory::desc& desc) {
    return bf16 ? memory::desc(desc.dims(), memory::data_type::bf16, memory::format_tag::any) : desc;
  };
  auto product = std::make_unique<Product>();
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (args.alpha != 1.0f) attributes.set_output_scales(0, {args.alpha});
  dnnl::post_ops after;
  std::vector<std::pair<memory::desc, const float*>> added;
  if (args.bias != nullptr) {
    memory::dims dims(static_cast<std::size_t>(args.batchRank) + 2, 1), strides(dims.size(), args.n);
    dims.back() = args.n, strides.back() = 1;
    const memory::desc desc(dims, memory::data_type::f32, strides);
    if (args.alpha != 1.0f)
      added.emplace_back(desc, args.bias);
    else
      product->arguments.emplace(DNNL_ARG_BIAS, memory(desc, cpuEngine(), const_cast<float*>(args.bias)));
  }
  if (args.accumulate || args.residual == args.c) after.append_sum(1.0f);
  if (args.residual != nullptr && args.residual != args.c) {
    added.emplace_back(describeMatrices(args, args.residualBatch, args.m, args.n, args.residualRow, 1),
                       args.residual);
  }
  for (const auto& [desc, data] : added) {
    const int position = after.len();
    after.append_binary(dnnl::algorithm::binary_add, desc);
    product->arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(position) | DNNL_ARG_SRC_1,
                               memory(desc, cpuEngine(), const_cast<float*>(data)));
  }
  attributes.set_post_ops(after);
  const auto bias = product->arguments.find(DNNL_ARG_BIAS);
  const dnnl::matmul::desc desc =
      bias == product->arguments.end()
          ? dnnl::matmul::desc(rounded(a), rounded(b), c)
          : dnnl::matmul::desc(rounded(a), rounded(b), bias->second.get_desc(), c);
  const dnnl::matmul::primitive_desc chosen(desc, attributes, cpuEngine());
  if (std::string(chosen.impl_info_str()).find("ref") != std::string::npos) return nullptr;
  product->primitive = dnnl::matmul(chosen);
  product->arguments.emplace(DNNL_ARG_DST, memory(c, cpuEngine(), args.c));
  product->scratchpad = chosen.scratchpad_desc();
  product->scratchBytes = aligned(product->scratchpad.get_size());
  product->arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(product->scratchpad, cpuEngine(), nullptr));
  const auto input = [&](int argument, const memory::desc& stored, const memory::desc& wanted,
                         const float* data) {
    memory plain(stored, cpuEngine(), const_cast<float*>(data));
    if (stored == wanted) {
      product->arguments.emplace(argument, plain);
      return;
    }
    memory staged(wanted, cpuEngine(), nullptr);
    product->staged.push_back({dnnl::reorder(plain, staged), {plain, staged}});
    product->stagedOffsets.push_back(product->scratchBytes);
    product->scratchBytes += aligned(wanted.get_size());
    product->arguments.emplace(argument, staged);
  };
  input(DNNL_ARG_SRC, a, chosen.src_desc(), args.a);
  input(DNNL_ARG_WEIGHTS, b, chosen.weights_desc(), args.b);
  return product;
}

void execute(const Context& context, Product& product, dnnl::stream& stream) {
  if (product.scratchBytes != 0) {
    char* memory = context.scratch(product.scratchBytes / static_cast<std::size_t>(context.threads) + 64);
    product.arguments.at(DNNL_ARG_SCRATCHPAD).set_data_handle(memory);
    for (std::size_t i = 0; i < product.staged.size(); ++i) {
      auto& [reorder, pair] = product.staged[i];
      pair.second.set_data_handle(memory + product.stagedOffsets[i]);
      reorder.execute(stream, pair.first, pair.second);
    }
  }
  product.primitive.execute(stream, product.arguments);
  stream.wait();
}

/// Part of one matrix: rows, columns and depth (of the sums) from `begin` to `end`. Parts of the depth after
/// the first add to c.
struct Range {
  int64_t begin, end;
};
GemmArgs block(GemmArgs args, Range rows, Range columns, Range depth) {
  args.m = rows.end - rows.begin, args.n = columns.end - columns.begin, args.k = depth.end - depth.begin;
  args.a += rows.begin * args.aRow + depth.begin * args.aColumn;
  args.b += depth.begin * args.bRow + columns.begin * args.bColumn;
  args.c += rows.begin * args.cRow + columns.begin;
  if (args.bias != nullptr) args.bias += columns.begin;
  if (args.residual != nullptr) args.residual += rows.begin * args.residualRow + columns.begin;
  if (depth.begin > 0) args.accumulate = true, args.bias = nullptr, args.residual = nullptr;
  return args;
}

/// Indices `begin` to `end` of the outermost batch dimension, which goes away when that is one.
GemmArgs batches(GemmArgs args, int64_t begin, int64_t end) {
  args.a += begin * args.aBatch[0], args.b += begin * args.bBatch[0], args.c += begin * args.cBatch[0];
  if (args.residual != nullptr) args.residual += begin * args.residualBatch[0];
  args.batch[0] = end - begin;
  if (end - begin > 1) return args;
  --args.batchRank;
  for (int64_t* field : {args.batch, args.aBatch, args.bBatch, args.cBatch, args.residualBatch})
    std::copy(field + 1, field + 1 + args.batchRank, field);
  return args;
}

/// Cuts a product into calls of about kLargestCall operations at most: into groups of matrices, and a large
/// matrix into blocks near to cubes, for which oneDNN packs the least again.
void cut(const GemmArgs& args, std::vector<GemmArgs>& result) {
  double work = 2.0 * static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
  for (int d = 0; d < args.batchRank; ++d) work *= static_cast<double>(args.batch[d]);
  const auto parts = static_cast<int64_t>(std::ceil(work / kLargestCall));
  if (parts <= 1) {
    result.push_back(args);
    return;
  }
  if (args.batchRank > 0) {
    const int64_t extent = args.batch[0], groups = std::min(extent, parts);
    for (int64_t i = 0; i < groups; ++i)
      cut(batches(args, extent * i / groups, extent * (i + 1) / groups), result);
    return;
  }
  const int64_t extent[3] = {args.m, args.n, args.k};
  int64_t count[3] = {1, 1, 1}, step[3];
  while (count[0] * count[1] * count[2] < parts) {
    const auto size = [&](int d) { return extent[d] / count[d]; };
    ++count[size(0) >= size(1) ? (size(0) >= size(2) ? 0 : 2) : (size(1) >= size(2) ? 1 : 2)];
  }
  for (int d = 0; d < 3; ++d) {
    step[d] = (extent[d] + count[d] - 1) / count[d];
    if (count[d] > 1) step[d] = (step[d] + kBlockMultiple - 1) / kBlockMultiple * kBlockMultiple;
  }
  const auto range = [&](int d, int64_t begin) { return Range{begin, std::min(extent[d], begin + step[d])}; };
  for (int64_t j = 0; j < args.n; j += step[1]) {
    for (int64_t i = 0; i < args.m; i += step[0]) {
      for (int64_t p = 0; p < args.k; p += step[2])
        result.push_back(block(args, range(0, i), range(1, j), range(2, p)));
    }
  }
}

/// Whether the `gemm` kernel is the faster one. oneDNN multiplies results of a few hundred rows and columns
/// without packing, where reading a by columns costs a fifth of the time on AVX2; the gradients of square
/// weights are such products (384 x 4096 x 384 on a core of Zen 3: 75 GFLOP/s, the kernel 88). Other products
/// are as fast or faster with oneDNN.
bool kernelIsFaster(const GemmArgs& args, const char* instructionSet) {
  constexpr int64_t kLeast = 128, kMost = 640 * 640;
  return std::strcmp(instructionSet, "avx2") == 0 && args.aColumn != 1 && args.aRow == 1 && !args.bf16 &&
         args.batchRank == 0 && args.m >= kLeast && args.n >= kLeast && args.k >= kLeast &&
         args.m * args.n <= kMost;
}

bool oneDnnTakes(const GemmArgs& args) {
  // Strides that overlap or run backwards are left to the kernel.
  const bool rowsFit = (args.aColumn == 1 ? args.aRow >= args.k : args.aColumn >= args.m && args.aRow == 1) &&
                       (args.bColumn == 1 ? args.bRow >= args.n : args.bColumn >= args.k && args.bRow == 1) &&
                       args.cRow >= args.n;
  bool forward = true;
  for (int d = 0; d < args.batchRank; ++d)
    forward = forward && args.aBatch[d] >= 0 && args.bBatch[d] >= 0 && args.cBatch[d] > 0;
  // On other CPUs than those that multiply bf16, oneDNN refuses or emulates it; the kernel is exact on all.
  return rowsFit && forward && args.m > 0 && args.n > 0 && args.k > 0 && (!args.bf16 || hasBf16());
}

}  // namespace

const char* oneDnnVersion() {
  static const std::string text = [] {
    const dnnl_version_t* version = dnnl_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
  }();
  return text.c_str();
}

Call prepareMatmul(const Site& site) {
  const GemmArgs args = describe(site);
  if (oneDnnTakes(args) && !kernelIsFaster(args, site.kernels.instructionSet)) {
    auto products = std::make_shared<std::vector<std::unique_ptr<Product>>>();
    bool complete = true;
    std::vector<GemmArgs> pieces;
    cut(args, pieces);
    for (const GemmArgs& piece : pieces) {
      std::unique_ptr<Product> product;
      try {
        product = makeProduct(piece);
      } catch (const dnnl::error&) {
        product = nullptr;  // this layout is not offered
      }
      complete = complete && product != nullptr;
      if (!complete) break;
      products->push_back(std::move(product));
    }
    if (complete) {
      return [products, stream = dnnl::stream(cpuEngine())](const Context& context) mutable {
        for (const auto& product : *products) {
          if (context.stopped()) return;
          execute(context, *product, stream);
        }
      };
    }
  }
  return [args, kernel = site.kernels.gemm](const Context& context) { kernel(context, args); };
}

#else

const char* oneDnnVersion() { return nullptr; }

Call prepareMatmul(const Site& site) {
  return
      [args = describe(site), kernel = site.kernels.gemm](const Context& context) { kernel(context, args); };
}

#endif

}  // namespace crossover
