// What every CPU kernel receives, and the table of them.
//
// Files in `cpu/` are compiled once per instruction set (portable, avx2, avx512) with CROSSOVER_ARCH naming
// the namespace; `cpu/host/` is compiled once and picks a table at run time. Pointers are to the first
// element, strides are in elements, sizes are counts. Kernels trust their arguments: `validate.cc` has
// checked them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "parallel.h"

#ifndef CROSSOVER_ARCH
#define CROSSOVER_ARCH portable
#endif

namespace crossover {

enum class Storage : int { f32 = 0, bf16 = 1, i64 = 2, u8 = 3 };

/// Chunk length of the WKV kernels; `saved` holds one state per (batch, head, chunk), in that order.
constexpr int64_t kWkvChunk = 16;
/// The same for gated linear attention, whose states may be larger than its rows.
constexpr int64_t kGlaChunk = 64;

/// Rows of `n` contiguous floats. Forward: (y, x, -). Gradient: (dx, y, dy).
struct SoftmaxArgs {
  int64_t rows, n;
  float* out;
  int64_t outStride;
  const float* a;
  int64_t aStride;
  const float* b;
  int64_t bStride;
};

/// c = alpha a b + bias + residual, or c += when accumulate, for every matrix of the batch. Parallel inside.
/// Any strides for a, b; c and residual have contiguous rows. `residual` may be `c`.
struct GemmArgs {
  int64_t m, n, k;
  float alpha;
  bool accumulate;
  bool bf16;  // round a and b to bf16 (nearest, ties to even; NaN stays NaN) and sum in f32
  float* c;
  int64_t cRow;
  const float* a;
  int64_t aRow, aColumn;
  const float* b;
  int64_t bRow, bColumn;
  const float* bias;      // [n] contiguous, or null
  const float* residual;  // or null
  int64_t residualRow;
  int batchRank;  // 0: one matrix
  int64_t batch[6], cBatch[6], aBatch[6], bBatch[6], residualBatch[6];
};

/// A [.., .., .., size] tensor whose last dim is contiguous: strides of the first three dims.
struct Rows4 {
  float* data;
  int64_t stride[3];
};

/// Attention over q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, Dv]; head h reads key head h / (H / Hkv).
/// Causal: query i sees keys j <= i + S - T; window > 0: only keys j > i + S - T - window. A query that sees
/// no key has output 0 and lse -inf. `lse` [B, H, T] is natural-log sum of exponentials of the scaled scores.
struct AttentionArgs {
  int64_t B, H, Hkv, T, S, D, Dv;
  float scale;
  bool causal;
  int64_t window;
  Rows4 q, k, v, out;  // gradient: out is the saved output
  float* lse;          // may be null in the forward kernel
  int64_t lseStride[3];
  const void* mask;     // null: none
  Storage maskStorage;  // f32: added to the scaled scores; u8: 0 hides
  int64_t maskStride[4];
  // Gradient only. dk and dv sum over the heads that share them; all three are assigned.
  Rows4 dout, dq, dk, dv;
};

/// Causal attention over the first `end` rows of a cache: the last T of them belong to the queries. `lse` and
/// the gradient's fields are not used.
struct CachedAttentionArgs {
  AttentionArgs attention;
  const int64_t* end;
};

/// out = ((q k^T) * w) v over q [B, H, T, D], k [B, H, S, D], v [B, H, S, Dv] and weights w [B, H, T, S],
/// which are zero by construction but where first <= j - i < last; w may have stride 0 over B and H, and its
/// rows are contiguous.
struct WeightedAttentionArgs {
  int64_t B, H, T, S, D, Dv;
  int64_t first, last;
  Rows4 q, k, v, out;
  const float* w;
  int64_t wStride[3];
  // Gradient only; all assigned. dw may be null; it is summed over B or H where that is shared.
  Rows4 dout, dq, dk, dv;
  float* dw;
  bool dwShared[2];
  int64_t dwStride[3];
};

/// wkv6 over [B, T, H, N] tensors, strides of B, T, H. States are [B, H, N(key), N(value)] contiguous.
struct Wkv6Args {
  int64_t B, T, H, N;
  Rows4 y, r, k, v, logw;
  const float* u;        // [H, N] contiguous
  const float* stateIn;  // null: zero
  float* stateOut;       // null: not wanted
  float* saved;          // null: not wanted (forward); required (gradient)
  // Gradient only; all assigned. `dy` may have null data (zero), as may dstateOut.
  Rows4 dy, dr, dk, dv, dlogw;
  float* du;               // [H, N]
  float* dstateIn;         // null: not wanted
  const float* dstateOut;  // null: zero
};

/// wkv7 over [B, T, H, N] and, for v and y, [B, T, H, P]; states are [B, H, P(value), N(key)] contiguous,
/// `saved` holds their transposes.
struct Wkv7Args {
  int64_t B, T, H, N, P;
  Rows4 y, r, logw, k, v, a, b;
  const float* stateIn;
  float* stateOut;
  float* saved;
  // Gradient only; all assigned.
  Rows4 dy, dr, dlogw, dk, dv, da, db;
  float* dstateIn;
  const float* dstateOut;
};

/// Gated linear attention: q, k [B, T, G, N] shared by H / G heads each, v [B, T, H, P], log decays
/// [B, T, H, N] or, when `perHead`, [B, T, H, 1]. States are [B, H, N, P] contiguous; `saved` holds one per
/// (batch, head, chunk of kGlaChunk).
struct GlaArgs {
  int64_t B, T, H, G, N, P;
  bool perHead;
  float scale;  // of q
  Rows4 y, q, k, v, logw;
  const float* stateIn;  // null: zero
  float* stateOut;       // null: not wanted
  float* saved;          // null: not wanted (forward); required (gradient)
  // Gradient only; all assigned. `dy` may have null data (zero), as may dstateOut; dlogw null: not wanted.
  Rows4 dy, dq, dk, dv, dlogw;
  float* dstateIn;
  const float* dstateOut;
};

/// A [.., .., size] tensor whose last dim is contiguous: strides of the first two dims.
struct Rows3 {
  float* data;
  int64_t stride[2];
};

/// wkv4 over [B, T, C], strides of B, T. States are [B, 3 (aa, bb, pp), C] contiguous; `saved` is [B, chunks,
/// 3, C].
struct Wkv4Args {
  int64_t B, T, C;
  Rows3 y, k, v;
  const float *logw, *u;  // [C] contiguous
  const float* stateIn;   // null: nothing yet
  float* stateOut;        // null: not wanted
  float* saved;           // null: not wanted (forward); required (gradient)
  // Gradient only; all assigned. `dy` may have null data (zero).
  Rows3 dy, dk, dv;
  float *dlogw, *du;       // [C]
  float* dstateIn;         // null: not wanted
  const float* dstateOut;  // null: zero
};

/// selective_scan over x, dt [B, T, D] and b, c [B, T, N], strides of B, T. States are [B, D, N] contiguous;
/// `saved` is [B, chunks, N, D].
struct SelectiveScanArgs {
  int64_t B, T, D, N;
  Rows3 y, x, dt, b, c;
  const float* a;  // [D, N] contiguous
  const float* stateIn;
  float* stateOut;
  float* saved;
  // Gradient only; all assigned.
  Rows3 dy, dx, ddt, db, dc;
  float* da;
  float* dstateIn;
  const float* dstateOut;
};

/// short_conv over x [B, T, C], strides of B, T. States are [B, taps - 1, C] contiguous: the rows before the
/// first token, and the last ones.
struct ShortConvArgs {
  int64_t B, T, C, taps;  // taps: 2 to 8
  Rows3 y, x;
  const float* weight;   // [C, taps] contiguous
  const float* bias;     // [C] contiguous; null: zero
  const float* stateIn;  // null: zero
  float* stateOut;       // null: not wanted
  // Gradient only; all assigned.
  Rows3 dy, dx;
  float* dweight;
  float* dbias;            // null: not wanted
  float* dstateIn;         // null: not wanted
  const float* dstateOut;  // null: zero
};

/// lstm over gates [B, T, 4H] (input, forget, cell, output: what they get from the layer's input), strides of
/// B, T. cells and active (the gates after their functions) are [B, T, H] and [B, T, 4H] contiguous.
struct LstmArgs {
  int64_t B, T, H;
  bool bf16;  // round both sides of the recurrent product to bf16 and sum in f32
  Rows3 y, gates;
  const float* weight;    // [4H, H] contiguous
  const float *h0, *c0;   // [B, H] contiguous; null: zero
  float* cellOut;         // [B, H]; null: not wanted
  float *active, *cells;  // null: not wanted (forward); required (gradient)
  // Gradient only; all assigned.
  Rows3 dy, dgates;
  float *dh0, *dc0;       // null: not wanted
  const float* dcellOut;  // null: zero
};

/// Layer norm (kind 0) and RMS norm (kind 1) over rows of n, G groups with their own weight and bias [G, n].
struct NormArgs {
  int64_t R, G, n;
  bool rms;
  float eps;
  float* y;  // gradient: dx
  int64_t yR, yG;
  const float* x;
  int64_t xR, xG;
  float *mean, *rstd;          // [R, G] contiguous, may be null in the forward kernel; mean is null for rms
  const float *weight, *bias;  // [G, n] contiguous, may be null
  // Gradient only.
  const float* dy;
  int64_t dyR, dyG;
  float *dweight, *dbias;  // may be null
  bool accumulateDx, accumulateWeights;
};

/// Cross entropy of logits [N, C] with row-contiguous rows. Returns false (see Failure) on an out-of-range
/// target.
struct CrossEntropyArgs {
  int64_t N, C;
  const float* logits;
  int64_t logitsRow;
  const int64_t* targets;
  int64_t targetsStride;
  int64_t ignoreIndex;
  int reduction;  // 0 mean, 1 sum, 2 none
  float labelSmoothing;
  float* loss;  // [] or [N] contiguous
  float* lse;   // [N] contiguous
  // Gradient only.
  const float* dloss;
  float* dlogits;
  int64_t dlogitsRow;
};

/// out [N, D] = weight [V, D] rows at index [N]; gradient: dweight from dout.
struct EmbeddingArgs {
  int64_t N, V, D;
  float* out;  // gradient: dweight
  int64_t outRow;
  const float* x;  // weight; gradient: dout
  int64_t xRow;
  const int64_t* index;
  int64_t indexStride;
  bool accumulate;
};

/// One tensor group of AdamW. All contiguous.
struct AdamTensor {
  float* parameter;
  const float* gradient;
  float *first, *second;
  int64_t count;
};

struct AdamArgs {
  const AdamTensor* tensors;
  int64_t count;
  const float* hyper;     // [4]
  const float* gradNorm;  // null: no clipping
  double lrScale, weightDecay, beta1, beta2, eps;
};

struct NormSquaredArgs {
  const AdamTensor* tensors;  // `gradient` and `count` are read
  int64_t count;
  float* out;  // []
};

/// Turns uniform draws into PyTorch's float32 normal samples, in place, in blocks of 16.
struct NormalFillArgs {
  float* data;
  int64_t blocks;
  float mean, std;
};

/// QR of a column-major m x n matrix (m >= n): `a` becomes Q diag(sign(diag R)). `scale`, `sign`: n numbers
/// of room.
struct HouseholderArgs {
  double *a, *scale, *sign;
  int64_t m, n;
};

/// out = keep ? x / (1 - p) : 0 from numbers key, first, first + 1, ... of the counter generator.
struct DropoutArgs {
  float* out;
  uint8_t* mask;
  const float* x;
  int64_t n;
  double p;
  uint64_t key, first;
};

/// Strided views walked by the indexing kernels: `outer` positions times one line along the worked dimension.
struct LineArgs {
  Storage storage;
  int rank;          // of the dimensions apart from the worked one
  int64_t shape[8];  // their sizes
  void* out;
  int64_t outStride[8], outStep;  // elements; step along the worked dimension
  const void* x;
  int64_t xStride[8], xStep;
  int64_t* index;  // gather and scatter read it, top_k writes it
  int64_t indexStride[8], indexStep;
  int64_t length;  // of x (of out for scatter) along the worked dimension
  int64_t count;   // of index (gather, scatter), k (top_k)
  bool flag;       // scatter: add; cumulate: reverse; arg_extreme: smallest; top_k: descending
  int kind;        // cumulate: 0 sum, 1 product
};

/// Longest Fourier transform: the tables of its plan stay within a quarter of a gigabyte.
constexpr int64_t kMostFftPoints = int64_t{1} << 22;

/// Transforms over more points than these are taken apart into two shorter ones.
constexpr int64_t kLongFft = 8192;

/// One radix of a transform: `twiddles` per group, pairs (real, imaginary) for all outputs but the first;
/// `roots` are exp(-2 pi i j / radix).
struct FftStage {
  int radix;
  const float* twiddles;
  const float* roots;
};
/// Transforms of n points by stages over `length` points: n, or with a chirp more than 2 n. A long one has
/// two plans, of whose lengths `length` is the product, in place of stages.
struct FftPlan {
  int64_t n, length;
  const FftStage* stages;
  int stageCount;
  const FftPlan *columns, *rows;
  const float* turns;           // cos and sin of -2 pi k j / length [columns, 2, rows]
  const float *chirp, *filter;  // pairs [n] and [length], or null
};
/// [outer, rows, points] with any strides.
struct FftTensor {
  float* data;
  int64_t stride[3];
};
/// Transforms of plan->n points of which `in` are read (the others are zero) and `out` written; see fft.cc.
struct FftArgs {
  const FftPlan* plan;
  int64_t outer, rows, in, out;
  FftTensor outRe, outIm, inRe,
      inIm;               // fft: inIm may have null data (zero); rfft, irfft: one of each is real
  bool inverse;           // fft
  float scale, interior;  // interior: rfft, irfft
};

struct FusedPlan;  // fused.h
struct FusedArgs {
  const FusedPlan* plan;
};

/// Every kernel of the table: name, arguments.
#define CROSSOVER_KERNELS(X)                      \
  X(softmax, SoftmaxArgs)                         \
  X(softmaxGrad, SoftmaxArgs)                     \
  X(logSoftmax, SoftmaxArgs)                      \
  X(logSoftmaxGrad, SoftmaxArgs)                  \
  X(gemm, GemmArgs)                               \
  X(attention, AttentionArgs)                     \
  X(attentionGrad, AttentionArgs)                 \
  X(cachedAttention, CachedAttentionArgs)         \
  X(weightedAttention, WeightedAttentionArgs)     \
  X(weightedAttentionGrad, WeightedAttentionArgs) \
  X(wkv6, Wkv6Args)                               \
  X(wkv6Grad, Wkv6Args)                           \
  X(wkv7, Wkv7Args)                               \
  X(wkv7Grad, Wkv7Args)                           \
  X(wkv4, Wkv4Args)                               \
  X(wkv4Grad, Wkv4Args)                           \
  X(selectiveScan, SelectiveScanArgs)             \
  X(selectiveScanGrad, SelectiveScanArgs)         \
  X(shortConv, ShortConvArgs)                     \
  X(shortConvGrad, ShortConvArgs)                 \
  X(lstm, LstmArgs)                               \
  X(lstmGrad, LstmArgs)                           \
  X(fft, FftArgs)                                 \
  X(rfft, FftArgs)                                \
  X(irfft, FftArgs)                               \
  X(gla, GlaArgs)                                 \
  X(glaGrad, GlaArgs)                             \
  X(norm, NormArgs)                               \
  X(normGrad, NormArgs)                           \
  X(crossEntropy, CrossEntropyArgs)               \
  X(crossEntropyGrad, CrossEntropyArgs)           \
  X(embedding, EmbeddingArgs)                     \
  X(embeddingGrad, EmbeddingArgs)                 \
  X(gradNorm, NormSquaredArgs)                    \
  X(adamw, AdamArgs)                              \
  X(normalFill, NormalFillArgs)                   \
  X(householder, HouseholderArgs)                 \
  X(dropout, DropoutArgs)                         \
  X(gather, LineArgs)                             \
  X(scatter, LineArgs)                            \
  X(cumulate, LineArgs)                           \
  X(argExtreme, LineArgs)                         \
  X(topK, LineArgs)                               \
  X(fused, FusedArgs)

/// The kernels of one instruction set.
struct KernelTable {
  const char* instructionSet;
#define CROSSOVER_FIELD(name, Args) void (*name)(const Context&, const Args&);
  CROSSOVER_KERNELS(CROSSOVER_FIELD)
#undef CROSSOVER_FIELD
};

namespace CROSSOVER_ARCH {
#define CROSSOVER_DECLARE(name, Args) void name(const Context&, const Args&);
CROSSOVER_KERNELS(CROSSOVER_DECLARE)
#undef CROSSOVER_DECLARE
extern const KernelTable kKernels;
}  // namespace CROSSOVER_ARCH

}  // namespace crossover
