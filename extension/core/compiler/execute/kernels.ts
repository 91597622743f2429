/**
 * Opcodes of the reference executor. Kernels that have an operation of the same meaning run that operation's float64
 * reference on what the operands hold; only memory, accumulation and optional operands are handled here.
 */
import type { Attrs } from '../graph.js';
import type { NdArray } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { type Instruction, type Opcode } from '../program.js';
import { type Memory, indices } from './memory.js';
import { SCAN_KERNELS } from './scans.js';

type Operands = readonly (Memory | null)[];
type Run = (operands: Operands, instruction: Instruction) => void;

const load = (memory: Memory): NdArray => ({ shape: memory.shape, data: memory.read() });

/** Runs an operation's reference; outputs that are null are not stored. */
function reference(op: string, outputs: Operands, inputs: Operands, attrs: Attrs): void {
  const given = inputs.filter((memory) => memory !== null);
  const types = given.map((memory) => ({ dtype: memory.dtype, shape: memory.shape }));
  const outputTypes = outputs.map((memory) => ({ dtype: 'f32' as const, shape: memory?.shape ?? [] }));
  const wanted = outputTypes.slice(0, lastIndex(outputs) + 1);
  const context = { constants: [], random: Math.random, types };
  const results = operation(op).evaluate!(given.map(load), attrs, wanted, context);
  outputs.forEach((memory, i) => memory?.write(results[i]!.data));
}

function lastIndex(outputs: Operands): number {
  return outputs.findLastIndex((memory) => memory !== null);
}

function matmul([c, a, b, bias, residual]: Operands, { ints, floats }: Instruction): void {
  const rank = c!.shape.length;
  const [m, n] = [rank - 2, rank - 1];
  const k = a!.shape[n]!;
  const sums: number[] = [];
  for (const index of indices(c!.shape)) {
    const left = [...index];
    const right = [...index];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      left[n] = i;
      right[m] = i;
      sum += a!.get(a!.at(left)) * b!.get(b!.at(right));
    }
    sum *= floats[0]!;
    if (bias) sum += bias.get(bias.at([index[n]!]));
    if (residual) sum += residual.get(residual.at(index));
    sums.push(sum);
  }
  c!.write(sums, ints[0] === 1);
}

/** Rows [R, G, n] as the operation sees them: [R * G, n] with one weight, or [R, G * n] in G groups. */
function flat(memory: Memory | null, shape: readonly number[]): NdArray | null {
  return memory && { shape, data: memory.read() };
}

function norm([y, mean, rstd, x, weight, bias]: Operands, { ints, floats }: Instruction): void {
  const [R, G, n] = x!.shape as [number, number, number];
  const rms = ints[0] === 1;
  const eps = floats[0]!;
  const ones = { shape: [G * n], data: new Float64Array(G * n).fill(1) };
  const values = { shape: [R, G * n], data: x!.read() };
  const stats = { dtype: 'f32' as const, shape: [R, G] };
  const types = [{ dtype: 'f32' as const, shape: [R, G * n] }, stats, stats];
  const context = { constants: [], random: Math.random, types: [] };
  if (rms) {
    if (G !== 1) throw new Error('RMS norm has one group.');
    const inputs = [values, flat(weight!, [n]) ?? ones];
    const [out, scale] = operation('rms_norm').evaluate!(
      inputs,
      { dims: 1, eps },
      types.slice(0, 2),
      context,
    );
    y!.write(out!.data);
    rstd?.write(scale!.data);
    return;
  }
  const inputs = [values, flat(weight!, [G * n]) ?? ones, ...(bias ? [flat(bias, [G * n])!] : [])];
  const results = operation('group_norm').evaluate!(inputs, { groups: G, eps }, types, context);
  y!.write(results[0]!.data);
  mean?.write(results[1]!.data);
  rstd?.write(results[2]!.data);
}

function normGrad(operands: Operands, { ints }: Instruction): void {
  const [dx, dweight, dbias, dy, x, mean, rstd, weight] = operands;
  const [R, G, n] = x!.shape as [number, number, number];
  const rms = ints[0] === 1;
  const shape = [R, G * n];
  const ones = { shape: [G * n], data: new Float64Array(G * n).fill(1) };
  const saved = [...(rms ? [] : [flat(mean!, [R, G])!]), flat(rstd!, [R, G])!];
  const inputs = [flat(dy!, shape)!, flat(x!, shape)!, ...saved, flat(weight!, [G * n]) ?? ones];
  const f32 = (sizes: number[]) => ({ dtype: 'f32' as const, shape: sizes });
  const types = [f32(shape), f32([G * n]), ...(rms ? [] : [f32([G * n])])];
  const attrs = rms ? { dims: 1 } : { groups: G, bias: true };
  const context = { constants: [], random: Math.random, types: [] };
  const results = operation(rms ? 'rms_norm_grad' : 'group_norm_grad').evaluate!(
    inputs,
    attrs,
    types,
    context,
  );
  dx!.write(results[0]!.data, ints[1] === 1);
  dweight?.write(results[1]!.data, ints[2] === 1);
  dbias?.write(results[2]!.data, ints[2] === 1);
}

const REDUCTIONS = ['mean', 'sum', 'none'] as const;
const lossAttrs = ({ ints, floats }: Instruction): Attrs => ({
  ignoreIndex: ints[0]!,
  reduction: REDUCTIONS[ints[1]!]!,
  labelSmoothing: floats[0]!,
});
const attentionAttrs = ({ ints, floats }: Instruction): Attrs => ({
  causal: ints[0] === 1,
  window: ints[1]!,
  scale: floats[0]!,
});

const diagonals = ({ ints }: Instruction): Attrs => ({ first: ints[0]!, last: ints[1]! });

/** Operands (dq, dk, dv, dw?, dout, q, k, v, w); w comes as large as the scores, dw is summed down to its own shape. */
function weightedAttentionGrad(operands: Operands, instruction: Instruction): void {
  const [dq, dk, dv, dw, ...inputs] = operands;
  const given = inputs.map((memory) => load(memory!));
  const types = given.slice(1).map(({ shape }) => ({ dtype: 'f32' as const, shape }));
  const context = { constants: [], random: Math.random, types: [] };
  const evaluate = operation('weighted_attention_grad').evaluate!;
  const results = evaluate(given, diagonals(instruction), types, context);
  [dq, dk, dv].forEach((memory, i) => memory!.write(results[i]!.data));
  if (!dw) return;
  const [, heads, queries, keys] = given[4]!.shape as [number, number, number, number];
  const sums = new Float64Array(dw.count);
  results[3]!.data.forEach((value, at) => {
    const matrix = Math.floor(at / queries / keys);
    const [b, h] = [Math.floor(matrix / heads), matrix % heads];
    const own = (dw.shape[0] === 1 ? 0 : b) * dw.shape[1]! + (dw.shape[1] === 1 ? 0 : h);
    sums[own * queries * keys + (at % (queries * keys))]! += value;
  });
  dw.write(sums);
}

function embeddingGrad([out, dy, index]: Operands, { ints }: Instruction): void {
  const sums = ints[0] === 1 ? out!.read() : new Float64Array(out!.count);
  const width = out!.shape[1]!;
  const values = dy!.read();
  index!.read().forEach((row, i) => {
    for (let d = 0; d < width; d++) sums[row * width + d]! += values[i * width + d]!;
  });
  out!.write(sums);
}

function scatter([out, index, src]: Operands, { ints }: Instruction): void {
  for (const position of indices(index!.shape)) {
    const target = [...position];
    target[ints[0]!] = index!.get(index!.at(position));
    const at = out!.at(target);
    out!.set(at, src!.get(src!.at(position)) + (ints[1] === 1 ? out!.get(at) : 0));
  }
}

function gradNorm([out, ...tensors]: Operands): void {
  const squares = tensors.map((tensor) => tensor!.read().reduce((sum, value) => sum + value * value, 0));
  out!.write([Math.sqrt(squares.reduce((a, b) => a + b, 0))]);
}

/** Decoupled weight decay (arXiv 1711.05101), as torch.optim.AdamW. */
function adamw([hyper, gradNorm, ...tensors]: Operands, { floats }: Instruction): void {
  const [lrScale, decay, beta1, beta2, eps] = floats as [number, number, number, number, number];
  const [rate, step, limit] = hyper!.read() as unknown as [number, number, number];
  const lr = rate * lrScale;
  const norm = gradNorm ? gradNorm.read()[0]! : 0;
  const clip = limit > 0 ? Math.min(1, limit / (norm + 1e-6)) : 1;
  for (let i = 0; i < tensors.length; i += 4) {
    const [p, g, m, v] = tensors.slice(i, i + 4).map((tensor) => tensor!.read()) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    p.forEach((value, j) => {
      const gradient = g[j]! * clip;
      m[j] = beta1 * m[j]! + (1 - beta1) * gradient;
      v[j] = beta2 * v[j]! + (1 - beta2) * gradient * gradient;
      const first = m[j] / (1 - beta1 ** step);
      const second = Math.sqrt(v[j] / (1 - beta2 ** step)) + eps;
      p[j] = value * (1 - lr * decay) - (lr * first) / second;
    });
    tensors[i]!.write(p);
    tensors[i + 2]!.write(m);
    tensors[i + 3]!.write(v);
  }
}

function wkv(kind: 'wkv6' | 'wkv7'): Run {
  return (operands) => {
    const [y, stateOut, saved] = operands.slice(0, 3);
    const inputs = operands.slice(3);
    const given = inputs.filter((memory) => memory !== null).map(load);
    const types = given.map(({ shape }) => ({ dtype: 'f32' as const, shape }));
    const context = { constants: [], random: Math.random, types };
    const row = operation(kind);
    const results = row.evaluate!(
      given,
      { save: true },
      row.infer(types, { save: true }, undefined),
      context,
    );
    y!.write(results[0]!.data);
    stateOut?.write(results[1]!.data);
    saved?.write(results[2]!.data);
  };
}

/** Operands (d..., dstateIn?, dy, dstateOut?, saved, forward..., stateIn?). */
function wkvGrad(kind: 'wkv6' | 'wkv7'): Run {
  const rows = kind === 'wkv6' ? 5 : 6;
  return (operands) => {
    const outputs = operands.slice(0, rows + 1);
    const [dy, dstateOut, saved, ...forward] = operands.slice(rows + 1);
    const stateIn = forward[rows] ?? null;
    const inputs = [dy!, ...forward.slice(0, rows), saved!, stateIn, dstateOut!];
    const attrs = { stateIn: stateIn !== null, stateOut: dstateOut !== null };
    const kept = stateIn ? outputs : outputs.slice(0, rows);
    reference(`${kind}_grad`, kept, inputs, attrs);
  };
}

const realTransform = ({ ints, floats }: Instruction): Attrs => ({
  n: ints[0]!,
  scale: floats[0]!,
  interior: floats[1]!,
});

function draw(): never {
  throw new Error('The reference executor does not draw random numbers.');
}

export const KERNELS: Readonly<Record<Exclude<Opcode, 'fused' | 'constant'>, Run>> = {
  matmul,
  softmax: ([y, x]) => reference('softmax', [y!], [x!], { dim: 1 }),
  softmax_grad: ([dx, y, dy]) => reference('softmax_grad', [dx!], [dy!, y!], { dim: 1 }),
  log_softmax: ([y, x]) => reference('log_softmax', [y!], [x!], { dim: 1 }),
  log_softmax_grad: ([dx, y, dy]) => reference('log_softmax_grad', [dx!], [dy!, y!], { dim: 1 }),
  layer_norm: norm,
  layer_norm_grad: normGrad,
  cross_entropy: ([loss, lse, logits, targets], instruction) =>
    reference('cross_entropy', [loss!, lse!], [logits!, targets!], { ...lossAttrs(instruction), save: true }),
  cross_entropy_grad: ([out, logits, lse, targets, dloss], instruction) =>
    reference('cross_entropy_grad', [out!], [dloss!, logits!, targets!, lse!], lossAttrs(instruction)),
  attention: ([out, lse, ...inputs], instruction) =>
    reference('sdpa', [out!, lse!], inputs, { ...attentionAttrs(instruction), save: lse !== null }),
  attention_grad: ([dq, dk, dv, ...inputs], instruction) =>
    reference('sdpa_grad', [dq!, dk!, dv!], inputs, attentionAttrs(instruction)),
  cached_attention: ([out, ...inputs], { floats }) =>
    reference('cached_attention', [out!], inputs, { scale: floats[0]! }),
  weighted_attention: ([out, ...inputs], instruction) =>
    reference('weighted_attention', [out!], inputs, diagonals(instruction)),
  weighted_attention_grad: weightedAttentionGrad,
  wkv6: wkv('wkv6'),
  wkv6_grad: wkvGrad('wkv6'),
  wkv7: wkv('wkv7'),
  wkv7_grad: wkvGrad('wkv7'),
  ...SCAN_KERNELS,
  fft: ([re, im, ...inputs], { ints, floats }) =>
    reference('fft', [re!, im!], inputs, { n: ints[0]!, inverse: ints[1] === 1, scale: floats[0]! }),
  rfft: ([re, im, x], instruction) => reference('rfft', [re!, im!], [x!], realTransform(instruction)),
  irfft: ([x, re, im], instruction) => reference('irfft', [x!], [re!, im!], realTransform(instruction)),
  embedding: ([out, weight, index]) => reference('embedding', [out!], [weight!, index!], {}),
  embedding_grad: embeddingGrad,
  gather: ([out, x, index], { ints }) => reference('gather', [out!], [x!, index!], { dim: ints[0]! }),
  scatter,
  cumulate: ([out, x], { ints }) =>
    reference(ints[2] === 1 ? 'cumprod' : 'cumsum', [out!], [x!], { dim: ints[0]!, reverse: ints[1] === 1 }),
  arg_extreme: ([out, x], { ints }) =>
    reference(ints[1] === 1 ? 'argmin' : 'argmax', [out!], [x!], { dim: ints[0]!, keepdim: true }),
  top_k: ([values, places, x], { ints }) =>
    reference('topk', [values!, places!], [x!], { dim: ints[0]!, k: ints[1]!, largest: ints[2] === 1 }),
  grad_norm: gradNorm,
  adamw,
  dropout: draw,
  rng_seed: () => undefined,
  rng_normal: draw,
  rng_uniform: draw,
  rng_trunc_normal: draw,
  rng_orthogonal: draw,
  rng_randint: draw,
  rng_randperm: draw,
  rng_bernoulli: draw,
  rng_skip: () => undefined,
};
