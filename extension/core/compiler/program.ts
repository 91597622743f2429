/**
 * The program: what the compiler hands to the native engine. `native/program.h` says the same in C++, and a test
 * compares the two tables.
 *
 * A program is a flat list of kernel calls over tensors at fixed places in three segments of memory:
 *   state  - parameters, buffers and optimizer moments; made once per model, shared by all of its programs
 *   arena  - activations and gradients; its size is the exact peak
 *   io     - inputs and results of one step: token ids, loss, learning rate
 *
 * Serialized form: 64-bit little-endian words. Integers are int64; numbers marked f are float64 bits in the same slot.
 *   header:  magic, version, stateBytes, arenaBytes, ioBytes, tensorCount, instructionCount, constantBytes
 *   tensor:  segment, dtype, byteOffset, rank, shape[rank], strides[rank]      (strides in elements, may be 0 or < 0)
 *   instruction: opcode, phase, operandCount, intCount, floatCount, operands[], ints[], floats[]
 *   constants: constantBytes bytes (padded to 8), copied into `state` by `constant` instructions
 * An operand is an index into the tensor table, or -1 for one that is left out.
 */

export const PROGRAM_MAGIC = 0x47505258; // 'XRPG'
export const PROGRAM_VERSION = 1;

export const SEGMENTS = ['state', 'arena', 'io'] as const;
export type Segment = (typeof SEGMENTS)[number];

/** Element types in memory. Floats of a model are f32; bf16 appears only where the compiler chose it. */
export const STORAGE = ['f32', 'bf16', 'i64', 'u8'] as const;
export type Storage = (typeof STORAGE)[number];

export const PHASES = ['init', 'forward', 'backward', 'optimizer'] as const;

export interface TensorRef {
  readonly segment: Segment;
  readonly storage: Storage;
  readonly byteOffset: number;
  readonly shape: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];
}

export interface Instruction {
  readonly op: Opcode;
  readonly phase: (typeof PHASES)[number];
  readonly operands: readonly number[];
  readonly ints: readonly number[];
  readonly floats: readonly number[];
}

export interface Program {
  readonly stateBytes: number;
  readonly arenaBytes: number;
  readonly ioBytes: number;
  readonly tensors: readonly TensorRef[];
  readonly instructions: readonly Instruction[];
  readonly constants: Uint8Array;
}

/**
 * Opcodes by number. Operands are listed outputs first; `?` may be -1. R = rows, n = row length.
 * No output may overlap an input unless the row says so.
 */
export const OPCODES = [
  /** ints: byteStart, byteLength. (out): copies constant bytes to `out`, which is contiguous. */
  'constant',
  /**
   * Element-wise work with optional reductions, over one iteration space; see {@link FUSED_OPS}.
   * Operands: outputs..., inputs...; every operand's shape is the iteration space (stride 0 where it does not vary).
   * ints: lane (0 f32, 1 i64), outputCount, reduceMask (bit d: dimension d is reduced), then per output its
   * reduction (0 none, 1 sum, 2 max, 3 min, 4 prod), the register it stores and whether it accumulates (0/1, sum
   * only), then the code: (opcode, destination, a, b, c) each. Registers 0..inputCount-1 are the loaded inputs;
   * immediates are registers from 128 up: 128 + i is floats[i]. At most 96 registers below 128.
   * An output may be the very same tensor (offset and strides) as an input.
   */
  'fused',
  /**
   * (c [..., M, N], a [..., M, K], b [..., K, N], bias [N]?, residual [..., M, N]?): c = alpha a b + bias + residual,
   * or c += when accumulate. ints: accumulate, bf16 (round a and b to bf16 first, accumulate in f32). floats: alpha.
   * Of the last two dims of a and of b one has stride 1; batch dims of a and b may have stride 0. c has row-contiguous
   * last dim. residual may be c itself.
   */
  'matmul',
  /** (y [R, n], x [R, n]) last dim contiguous, may alias. */
  'softmax',
  /** (dx, y, dy) dx may alias dy. */
  'softmax_grad',
  /** (y, x) */
  'log_softmax',
  /** (dx, y, dy) dx may alias dy. */
  'log_softmax_grad',
  /**
   * (y [R, G, n], mean [R, G]?, rstd [R, G]?, x [R, G, n], weight [G, n]?, bias [G, n]?). floats: eps. ints: kind
   * (0 layer norm, 1 rms norm: mean is -1). Group norm has G > 1.
   */
  'layer_norm',
  /**
   * (dx [R, G, n], dweight [G, n]?, dbias [G, n]?, dy, x, mean?, rstd, weight?). ints: kind, accumulate dx (0/1),
   * accumulate dweight and dbias (0/1). dx may alias dy.
   */
  'layer_norm_grad',
  /**
   * (loss [] or [N], lse [N], logits [N, C], targets i64 [N]). ints: ignoreIndex, reduction (0 mean, 1 sum, 2 none).
   * floats: labelSmoothing. An out-of-range target stops the program with an error.
   */
  'cross_entropy',
  /** (dlogits [N, C], logits, lse, targets, dloss [] or [N]). attributes as cross_entropy. dlogits may alias logits. */
  'cross_entropy_grad',
  /**
   * (out [B, H, T, Dv], lse [B, H, T]?, q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, Dv], mask [B, H, T, S]?).
   * ints: causal, window (0 none). floats: scale. Last dim of q, k, v, out contiguous; mask f32 additive or u8 (0 hides), any
   * strides. Causal: query i sees keys <= i + S - T. No T x S buffer is made.
   */
  'attention',
  /** (dq, dk, dv, dout, q, k, v, out, lse, mask?). attributes as attention. */
  'attention_grad',
  /**
   * (out [B, H, T, Dv], q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, Dv], end i64 [], mask [B, H, T, S]?). floats: scale.
   * Causal attention over the first `end` rows of k and v, the last T of which belong to the queries; mask as attention. An
   * `end` below T or above S stops the program with an error.
   */
  'cached_attention',
  /**
   * (out [B, H, T, Dv], q [B, H, T, D], k [B, H, S, D], v [B, H, S, Dv], w [B, H, T, S]): out = ((q k^T) * w) v.
   * ints: first, last; w is zero by construction but where first <= j - i < last, and what is multiplied by it there is
   * left out. Last dim of all contiguous; w may have stride 0 over B and H. No T x S buffer is made.
   */
  'weighted_attention',
  /** (dq, dk, dv, dw [B or 1, H or 1, T, S]?, dout, q, k, v, w). ints as weighted_attention. dw is summed over dims of 1, 0 off the diagonals. */
  'weighted_attention_grad',
  /** (y [B, T, H, N], stateOut [B, H, N, N]?, saved f32 [x]?, r, k, v, logw [B, T, H, N], u [H, N], stateIn?). Chunked; `saved` holds chunk states for the gradient, one N x N state per (batch, head, {@link WKV_CHUNK} tokens). */
  'wkv6',
  /** (dr, dk, dv, dlogw, du, dstateIn?, dy, dstateOut?, saved, r, k, v, logw, u, stateIn?). */
  'wkv6_grad',
  /** (y [B, T, H, P], stateOut [B, H, P, N]?, saved?, r, logw, k [B, T, H, N], v [B, T, H, P], a, b [B, T, H, N], stateIn?). */
  'wkv7',
  /** (dr, dlogw, dk, dv, da, db, dstateIn?, dy, dstateOut?, saved, r, logw, k, v, a, b, stateIn?). */
  'wkv7_grad',
  /** (y [B, T, C], stateOut [B, 3, C]?, saved [B, chunks, 3, C]?, logw [C], u [C], k, v [B, T, C], stateIn?). States are rows aa, bb, pp. */
  'wkv4',
  /** (dlogw, du, dk, dv, dstateIn?, dy, dstateOut?, saved, logw, u, k, v). */
  'wkv4_grad',
  /**
   * (y [B, T, H, P], stateOut [B, H, N, P]?, saved f32 [x]?, q, k [B, T, G, N], v [B, T, H, P], logw [B, T, H, N or 1],
   * stateIn?). floats: scale. Key head h / (H / G) serves head h. `saved` holds one N x P
   * state per (batch, head, {@link GLA_CHUNK} tokens).
   */
  'gla',
  /** (dq, dk, dv, dlogw?, dstateIn?, dy, dstateOut?, saved, q, k, v, logw). floats: scale. */
  'gla_grad',
  /** (y [B, T, D], stateOut [B, D, N]?, saved [B, chunks, N, D]?, x, dt [B, T, D], A [D, N], B, C [B, T, N], stateIn?). */
  'selective_scan',
  /** (dx, ddt, dA, dB, dC, dstateIn?, dy, dstateOut?, saved, x, dt, A, B, C). */
  'selective_scan_grad',
  /**
   * (y [B, T, C], stateOut [B, K - 1, C]?, x [B, T, C], w [C, K], bias [C]?, stateIn?): y_t = bias + sum_j w[j] X_{t+j}, X being
   * the state's rows (zeros without one) and then x; the state that comes out is the last rows of X. K is 2 to 8.
   */
  'short_conv',
  /** (dx, dw, dbias?, dstateIn?, dy, dstateOut?, x, w, stateIn?). */
  'short_conv_grad',
  /**
   * (y [B, T, H], cell [B, H]?, active [B, T, 4H]?, cells [B, T, H]?, gates [B, T, 4H], weight [4H, H], h0 [B, H]?,
   * c0?). Gates: input, forget, cell, output. `active` and `cells` are kept for the gradient. ints: bf16 (round both sides
   * of the recurrent product).
   */
  'lstm',
  /** (dgates, dh0?, dc0?, dy, dcell?, weight, active, cells, c0?). ints: bf16. */
  'lstm_grad',
  /**
   * (outRe, outIm [P, R, K], inRe [P, R, L], inIm?), any strides: the first K points of a transform of n points, of which the
   * first L are given and the others zero; no inIm is zero. ints: n (1 to 2^22), inverse. floats: scale.
   */
  'fft',
  /** (outRe, outIm [P, R, K], in [P, R, L]), any strides: the first K of n / 2 + 1 bins of real rows. ints: n. floats: scale, interior (factor of the bins but 0 and n / 2). */
  'rfft',
  /** (out [P, R, L], inRe, inIm [P, R, K]), any strides: the first L of n real points. ints: n. floats: scale, interior. */
  'irfft',
  /** (out [N, D], weight [V, D], index i64 [N]). Out-of-range index stops the program with an error. */
  'embedding',
  /** (dweight [V, D], dout [N, D], index [N]). ints: accumulate (else dweight is zeroed first). Deterministic. */
  'embedding_grad',
  /** (out, x, index): out[i][j][k] = x[i][index[i][j][k]][k] for dim 1. ints: dim. */
  'gather',
  /** (out, index, src), in place on out. ints: dim, add (0 write, 1 add). Deterministic. */
  'scatter',
  /** (out, x) ints: dim, reverse, kind (0 sum, 1 product). */
  'cumulate',
  /** (out i64, x) ints: dim, smallest (0 argmax, 1 argmin). out has the reduced dim kept with size 1. */
  'arg_extreme',
  /** (values, indices i64, x) ints: dim, k, descending. Stable. */
  'top_k',
  /** (out f32 [], tensors...): sqrt of the sum of squares of all of them; sums in double. */
  'grad_norm',
  /**
   * (hyper f32 [4]: learning rate, step from 1, gradient norm limit (0 none), unused; gradNorm f32 []?, then
   * parameter, gradient, first moment, second moment repeated). Decoupled weight decay as torch.optim.AdamW; the
   * gradient is multiplied by min(1, limit / (gradNorm + 1e-6)) as clip_grad_norm_ does. floats: lrScale,
   * weightDecay, beta1, beta2, eps.
   */
  'adamw',
  /** (out, mask u8, x) floats: p. Keeps with probability 1 - p, scales by 1 / (1 - p). Draws from the program's counter generator. */
  'dropout',
  /** (). ints: seed. Restarts PyTorch's CPU generator of the session. */
  'rng_seed',
  /** (out f32) floats: mean, std. ints: small (see VOCABULARY.md). */
  'rng_normal',
  /** (out f32) floats: low, high. */
  'rng_uniform',
  /** (out f32) floats: mean, std, low, high. */
  'rng_trunc_normal',
  /** (out f32 [rows, cols]) floats: gain. */
  'rng_orthogonal',
  /** (out i64) ints: low, high. */
  'rng_randint',
  /** (out i64 [n]). */
  'rng_randperm',
  /** (out f32, probability f32?) floats: p. */
  'rng_bernoulli',
  /** (). ints: count. Advances the generator as a float32 normal or uniform fill of `count` elements that nobody reads. ints[1]: normal (0/1). */
  'rng_skip',
] as const;
export type Opcode = (typeof OPCODES)[number];

/**
 * Element-wise operations of `fused`, by number. `copy` moves a register; `index` loads the position along dimension
 * `a` of the iteration space; `where` is a ? b : c. Comparisons give 1 or 0. Loading converts from the storage type
 * to the lane, storing converts back (u8: not equal to zero).
 */
// prettier-ignore
export const FUSED_OPS = [
  'copy', 'index', 'where',
  'neg', 'exp', 'exp2', 'log', 'log2', 'log1p', 'expm1', 'sin', 'cos', 'tan', 'tanh', 'sigmoid', 'relu', 'gelu', 'gelu_tanh',
  'silu', 'softplus', 'sqrt', 'rsqrt', 'abs', 'sign', 'square', 'reciprocal', 'erf', 'floor', 'ceil', 'round', 'trunc',
  'isnan', 'isinf', 'logical_not',
  'add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'remainder', 'floor_divide', 'atan2',
  'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'logical_and', 'logical_or', 'logical_xor',
  'bitwise_and', 'bitwise_or', 'bitwise_xor', 'shift_left', 'shift_right',
  /** a * b + c */
  'fma',
  /** Derivatives that would take many steps otherwise; a is dy, b is x (gelu, gelu_tanh, silu, softplus) or y (tanh, sigmoid). */
  'gelu_grad', 'gelu_tanh_grad', 'silu_grad', 'softplus_grad', 'tanh_grad', 'sigmoid_grad',
] as const;
export type FusedOp = (typeof FUSED_OPS)[number];

/** Chunk length of the WKV and scan kernels: states are saved at every chunk start. */
export const WKV_CHUNK = 16;

/** Chunk length of the kernel of gated linear attention. */
export const GLA_CHUNK = 64;
