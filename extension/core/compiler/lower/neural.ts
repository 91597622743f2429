/** Softmax, norms, losses, attention (weighted too) and the WKV recurrences. */
import type { Node } from '../graph.js';
import type { Opcode } from '../program.js';
import { type Lowering, rowsAs, seenAs, unitRows } from './lowering.js';
import type { Accept, KernelRule } from './rule.js';
import { flagAttr, numberAttr } from './table.js';
import { type View, expandView, isRowMajor, product, reshapeView, sliceView } from './view.js';

/** Takes row-major memory only. */
export const contiguous: Accept = (view) => (isRowMajor(view) ? view : null);

/** Takes row-major memory, seen under `shape`. */
export function contiguousAs(shape: readonly number[]): Accept {
  return (view) => (isRowMajor(view) ? reshapeView(view, shape) : null);
}

function lastDimRows(lowering: Lowering, node: Node): Accept {
  const shape = lowering.table.shape(node.outputs[0]!);
  const n = shape[shape.length - 1] ?? 1;
  return rowsAs([product(shape) / n, n]);
}

/** Row-wise kernels (out, inputs...) over the last dim. */
function rowRule(op: Opcode, order: readonly number[] = [0]): KernelRule {
  return {
    input: lastDimRows,
    output: lastDimRows,
    emit: (call) => {
      const out = call.output(0);
      const inputs = order.map((i) => call.input(i));
      call.emit(op, [out], inputs);
    },
  };
}

/** [R, G, n] of a norm: rows, groups, elements that are normalised together. */
function normSizes(lowering: Lowering, node: Node, x: number): [number, number, number] {
  const shape = lowering.table.shape(x);
  const total = product(shape);
  if (node.op.startsWith('group_norm')) {
    const groups = numberAttr(node, 'groups');
    return [shape[0]!, groups, total / shape[0]! / groups];
  }
  const n = product(shape.slice(shape.length - numberAttr(node, 'dims')));
  return [total / n, 1, n];
}

/** Most calls a norm is split into when the places of its rows have no single stride. */
const MOST_CALLS = 64;

/** Takes rows [R, G, n] with one stride, or [outer, R / outer, G, n] for one call per outer index. */
function rowBlocks([R, G, n]: readonly [number, number, number]): Accept {
  return (view) => {
    const whole = rowsAs([R, G, n])(view);
    if (whole) return whole;
    for (let d = 1; d < view.shape.length; d++) {
      const outer = product(view.shape.slice(0, d));
      if (outer > MOST_CALLS || R % outer !== 0) return null;
      const blocks = rowsAs([outer, R / outer, G, n])(view);
      if (blocks) return blocks;
    }
    return null;
  };
}

/** Block `i` of `count` along the first dim of rows; `null` stays `null`. */
function block(view: View | null, count: number, i: number): View | null {
  if (!view || count === 1) return view;
  const split =
    view.shape.length === 4
      ? view
      : reshapeView(view, [count, view.shape[0]! / count, ...view.shape.slice(1)])!;
  const start = split.shape.map((_, d) => (d === 0 ? i : 0));
  const one = sliceView(
    split,
    start,
    split.shape.map(() => 1),
    [1, ...split.shape.slice(1)],
  );
  return { ...one, shape: one.shape.slice(1), strides: one.strides.slice(1) };
}

const isRms = (node: Node) => node.op.startsWith('rms_norm');

const norm: KernelRule = {
  input: (lowering, node, index) => {
    const [R, G, n] = normSizes(lowering, node, node.inputs[0]!);
    return index === 0 ? rowsAs([R, G, n]) : contiguousAs([G, n]);
  },
  output: (lowering, node, index) => {
    const [R, G, n] = normSizes(lowering, node, node.inputs[0]!);
    return index === 0 ? rowBlocks([R, G, n]) : contiguousAs([R, G]);
  },
  emit: (call) => {
    const { node } = call;
    const rms = isRms(node);
    const y = call.output(0);
    const mean = rms ? null : call.optionalOutput(1);
    const rstd = call.optionalOutput(rms ? 1 : 2);
    const [x, weight, bias] = [call.input(0), call.optionalInput(1), call.optionalInput(2)];
    const count = y.shape.length === 4 ? y.shape[0]! : 1;
    for (let i = 0; i < count; i++) {
      call.emit(
        'layer_norm',
        [y, mean, rstd].map((view) => block(view, count, i)),
        [block(x, count, i), weight, bias],
        [rms ? 1 : 0],
        [numberAttr(node, 'eps')],
        [],
        1 / count,
      );
    }
  },
};

/** Inputs dy, x, mean (not rms), rstd, weight?, and last what dx is added to when `residual`. */
const normGrad: KernelRule = {
  input: (lowering, node, index) => {
    const [R, G, n] = normSizes(lowering, node, node.inputs[1]!);
    const saved = isRms(node) ? 1 : 2;
    if (index < 2) return rowsAs([R, G, n]);
    if (flagAttr(node, 'residual') && index === node.inputs.length - 1) return rowsAs([R, G, n]);
    return index < 2 + saved ? contiguousAs([R, G]) : contiguousAs([G, n]);
  },
  output: (lowering, node, index) => {
    const [R, G, n] = normSizes(lowering, node, node.inputs[1]!);
    return index === 0 ? rowsAs([R, G, n]) : contiguousAs([G, n]);
  },
  updates: (node) => (flagAttr(node, 'residual') ? { output: 0, input: node.inputs.length - 1 } : null),
  emit: (call) => {
    const { node } = call;
    const rms = isRms(node);
    const saved = rms ? 1 : 2;
    const adds = flagAttr(node, 'residual');
    const weighted = node.inputs.length - (adds ? 1 : 0) > 2 + saved;
    const dx = call.output(0);
    const dweight = weighted ? call.optionalOutput(1) : null;
    const dbias = call.optionalOutput(weighted ? 2 : 1);
    call.emit(
      'layer_norm_grad',
      [dx, dweight, rms ? null : dbias],
      [
        call.input(0),
        call.input(1),
        rms ? null : call.input(2),
        call.input(1 + saved),
        weighted ? call.input(2 + saved) : null,
      ],
      [rms ? 1 : 0, adds ? 1 : 0, 0],
      [],
      adds ? [0] : [],
    );
  },
};

const LOSS_REDUCTIONS = ['mean', 'sum', 'none'];

function lossAttributes(node: Node): { ints: number[]; floats: number[] } {
  const reduction = LOSS_REDUCTIONS.indexOf(String(node.attrs.reduction));
  return {
    ints: [numberAttr(node, 'ignoreIndex', -100), reduction],
    floats: [numberAttr(node, 'labelSmoothing', 0)],
  };
}

const crossEntropy: KernelRule = {
  input: (lowering, node, index) => (index === 0 ? unitRows : seenAs(lowering.table.shape(node.inputs[1]!))),
  output: () => contiguous,
  emit: (call) => {
    const { ints, floats } = lossAttributes(call.node);
    const logits = call.input(0);
    const loss = call.output(0);
    const lse = call.node.outputs.length > 1 ? call.output(1) : call.scratch([logits.shape[0]!]);
    call.emit('cross_entropy', [loss, lse], [logits, call.input(1)], ints, floats);
  },
};

const crossEntropyGrad: KernelRule = {
  input: (_, __, index) => (index === 1 ? unitRows : index === 2 ? seenAsIs : contiguous),
  output: () => unitRows,
  emit: (call) => {
    const { ints, floats } = lossAttributes(call.node);
    const dlogits = call.output(0);
    const inputs = [call.input(1), call.input(3), call.input(2), call.input(0)];
    call.emit('cross_entropy_grad', [dlogits], inputs, ints, floats);
  },
};

function seenAsIs(view: View): View {
  return view;
}

function attentionAttributes(node: Node): { ints: number[]; floats: number[] } {
  const ints = [flagAttr(node, 'causal') ? 1 : 0, numberAttr(node, 'window', 0)];
  return { ints, floats: [numberAttr(node, 'scale')] };
}

function maskAs(lowering: Lowering, node: Node, q: number, k: number): Accept {
  const [B, H, T] = lowering.table.shape(node.inputs[q]!);
  const S = lowering.table.shape(node.inputs[k]!)[2]!;
  return (view) => expandView(view, [B!, H!, T!, S]);
}

const attention: KernelRule = {
  input: (lowering, node, index) => (index < 3 ? unitRows : maskAs(lowering, node, 0, 1)),
  output: (_, __, index) => (index === 0 ? unitRows : contiguous),
  emit: (call) => {
    const { ints, floats } = attentionAttributes(call.node);
    const [q, k, v] = [call.input(0), call.input(1), call.input(2)];
    const outputs = [call.output(0), call.optionalOutput(1)];
    call.emit('attention', outputs, [q, k, v, call.optionalInput(3)], ints, floats);
  },
};

const attentionGrad: KernelRule = {
  input: (lowering, node, index) =>
    index < 5 ? unitRows : index === 5 ? contiguous : maskAs(lowering, node, 1, 2),
  output: () => unitRows,
  emit: (call) => {
    const { ints, floats } = attentionAttributes(call.node);
    const inputs = [0, 1, 2, 3, 4, 5].map((i) => call.input(i));
    const outputs = [call.output(0), call.output(1), call.output(2)];
    call.emit('attention_grad', outputs, [...inputs, call.optionalInput(6)], ints, floats);
  },
};

/** Inputs q, k, v, end, mask?. */
const cachedAttention: KernelRule = {
  input: (lowering, node, index) =>
    index < 3 ? unitRows : index === 3 ? contiguous : maskAs(lowering, node, 0, 1),
  output: () => unitRows,
  emit: (call) => {
    const inputs = [0, 1, 2, 3].map((i) => call.input(i));
    const floats = [numberAttr(call.node, 'scale')];
    call.emit('cached_attention', [call.output(0)], [...inputs, call.optionalInput(4)], [], floats);
  },
};

function weightsAs(lowering: Lowering, node: Node, q: number): Accept {
  const [B, H] = lowering.table.shape(node.inputs[q]!);
  const [T, S] = lowering.table.shape(node.inputs[q + 3]!).slice(2);
  return (view) => {
    const wide = expandView(view, [B!, H!, T!, S!]);
    return wide && unitRows(wide);
  };
}

const diagonals = (node: Node): number[] => [numberAttr(node, 'first'), numberAttr(node, 'last')];

const weightedAttention: KernelRule = {
  input: (lowering, node, index) => (index < 3 ? unitRows : weightsAs(lowering, node, 0)),
  output: () => unitRows,
  emit: (call) => {
    const y = call.output(0);
    const inputs = [0, 1, 2, 3].map((i) => call.input(i));
    call.emit('weighted_attention', [y], inputs, diagonals(call.node));
  },
};

const weightedAttentionGrad: KernelRule = {
  input: (lowering, node, index) => (index < 4 ? unitRows : weightsAs(lowering, node, 1)),
  output: () => unitRows,
  emit: (call) => {
    const outputs = [call.output(0), call.output(1), call.output(2), call.optionalOutput(3)];
    const inputs = [0, 1, 2, 3, 4].map((i) => call.input(i));
    call.emit('weighted_attention_grad', outputs, inputs, diagonals(call.node));
  },
};

/** Rows of [B, T, H, N] may have any strides outside; states, `saved` and `u` are row-major. */
function wkvInput(lowering: Lowering, node: Node, index: number): Accept {
  const firstState: Readonly<Record<string, number>> = { wkv6: 5, wkv7: 6, wkv6_grad: 6, wkv7_grad: 7 };
  const rows = lowering.table.shape(node.inputs[index]!).length === 4 && index < firstState[node.op]!;
  return rows ? unitRows : contiguous;
}

function wkv(kind: 'wkv6' | 'wkv7'): KernelRule {
  const rows = kind === 'wkv6' ? 5 : 6;
  return {
    input: wkvInput,
    output: (_, __, index) => (index === 0 ? unitRows : contiguous),
    emit: (call) => {
      const y = call.output(0);
      const inputs = Array.from({ length: rows }, (_, i) => call.input(i));
      call.emit(
        kind,
        [y, call.optionalOutput(1), call.optionalOutput(2)],
        [...inputs, call.optionalInput(rows)],
      );
    },
  };
}

function wkvGrad(kind: 'wkv6' | 'wkv7'): KernelRule {
  const rows = kind === 'wkv6' ? 5 : 6;
  return {
    input: wkvInput,
    output: (_, __, index) => (index < rows && !(kind === 'wkv6' && index === 4) ? unitRows : contiguous),
    emit: (call) => {
      const { node } = call;
      const [takes, gives] = [flagAttr(node, 'stateIn'), flagAttr(node, 'stateOut')];
      const outputs = Array.from({ length: rows }, (_, i) => call.output(i));
      const dy = call.input(0);
      const forward = Array.from({ length: rows }, (_, i) => call.input(1 + i));
      const saved = call.input(1 + rows);
      const stateIn = takes ? call.input(2 + rows) : null;
      const dstateOut = gives ? call.input(2 + rows + (takes ? 1 : 0)) : null;
      call.emit(
        `${kind}_grad`,
        [...outputs, takes ? call.optionalOutput(rows) : null],
        [dy, dstateOut, saved, ...forward, stateIn],
      );
    },
  };
}

export const NEURAL_RULES: Readonly<Record<string, KernelRule>> = {
  softmax: rowRule('softmax'),
  softmax_grad: rowRule('softmax_grad', [1, 0]),
  log_softmax: rowRule('log_softmax'),
  log_softmax_grad: rowRule('log_softmax_grad', [1, 0]),
  layer_norm: norm,
  rms_norm: norm,
  group_norm: norm,
  layer_norm_grad: normGrad,
  rms_norm_grad: normGrad,
  group_norm_grad: normGrad,
  cross_entropy: crossEntropy,
  cross_entropy_grad: crossEntropyGrad,
  sdpa: attention,
  sdpa_grad: attentionGrad,
  cached_attention: cachedAttention,
  weighted_attention: weightedAttention,
  weighted_attention_grad: weightedAttentionGrad,
  wkv6: wkv('wkv6'),
  wkv7: wkv('wkv7'),
  wkv6_grad: wkvGrad('wkv6'),
  wkv7_grad: wkvGrad('wkv7'),
};
