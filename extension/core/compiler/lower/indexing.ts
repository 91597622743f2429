/** Embedding, gather, scatter, scans, extremes, top-k, dropout and constants. */
import type { Node } from '../graph.js';
import { anyView, rowsAs, seenAs, unitRows } from './lowering.js';
import { contiguous } from './neural.js';
import type { KernelRule } from './rule.js';
import { flagAttr, numberAttr } from './table.js';
import { product } from './view.js';

const embedding: KernelRule = {
  input: (lowering, node, index) =>
    index === 0 ? unitRows : seenAs([product(lowering.table.shape(node.inputs[1]!))]),
  output: (lowering, node) => {
    const shape = lowering.table.shape(node.outputs[0]!);
    const size = shape[shape.length - 1]!;
    return rowsAs([product(shape) / size, size]);
  },
  emit: (call) => call.emit('embedding', [call.output(0)], [call.input(0), call.input(1)]),
};

/** Inputs dy, idx, and what the gradient is added to when `residual`. */
const embeddingGrad: KernelRule = {
  input: (lowering, node, index) => {
    const size = lowering.table.shape(node.outputs[0]!)[1]!;
    const count = product(lowering.table.shape(node.inputs[1]!));
    return index === 0 ? rowsAs([count, size]) : index === 1 ? seenAs([count]) : contiguous;
  },
  output: () => contiguous,
  updates: (node) => (flagAttr(node, 'residual') ? { output: 0, input: 2 } : null),
  emit: (call) => {
    const adds = flagAttr(call.node, 'residual');
    const [out, dy] = [call.output(0), call.input(0)];
    const inputs = [dy, call.input(1)];
    call.emit('embedding_grad', [out], inputs, [adds ? 1 : 0], [], adds ? [0] : []);
  },
};

const any: Pick<KernelRule, 'input' | 'output'> = { input: () => anyView, output: () => anyView };

const gather: KernelRule = {
  ...any,
  emit: (call) => {
    const inputs = [call.input(0), call.input(1)];
    call.emit('gather', [call.output(0)], inputs, [numberAttr(call.node, 'dim')]);
  },
};

/** Inputs base, idx, src; the output starts as a copy of base. */
const scatter: KernelRule = {
  ...any,
  updates: () => ({ output: 0, input: 0 }),
  emit: (call) => {
    const ints = [numberAttr(call.node, 'dim'), call.node.op === 'scatter_add' ? 1 : 0];
    call.emit('scatter', [call.output(0)], [call.input(1), call.input(2)], ints, [], [0]);
  },
};

const cumulate: KernelRule = {
  ...any,
  emit: (call) => {
    const kind = call.node.op === 'cumprod' ? 1 : 0;
    const ints = [numberAttr(call.node, 'dim'), flagAttr(call.node, 'reverse') ? 1 : 0, kind];
    const out = call.output(0);
    call.emit('cumulate', [out], [call.input(0)], ints);
  },
};

/** The kernel's output keeps the reduced dim with size 1. */
const argExtreme: KernelRule = {
  input: () => anyView,
  output: (lowering, node) => {
    const shape = lowering.table.shape(node.inputs[0]!).map((size, d) => (d === argDim(node) ? 1 : size));
    return seenAs(shape);
  },
  emit: (call) => {
    const ints = [argDim(call.node), call.node.op === 'argmin' ? 1 : 0];
    call.emit('arg_extreme', [call.output(0)], [call.input(0)], ints);
  },
};

function argDim(node: Node): number {
  return numberAttr(node, 'dim');
}

const topK: KernelRule = {
  ...any,
  emit: (call) => {
    const { node } = call;
    const ints = [numberAttr(node, 'dim'), numberAttr(node, 'k'), node.attrs.largest === false ? 0 : 1];
    call.emit('top_k', [call.output(0), call.output(1)], [call.input(0)], ints);
  },
};

const dropout: KernelRule = {
  input: () => contiguous,
  output: () => contiguous,
  emit: (call) => {
    const out = call.output(0);
    const mask =
      call.node.outputs.length > 1 ? call.output(1) : call.lowering.list.temporary('u8', out.shape);
    const p = numberAttr(call.node, 'p');
    call.emit('dropout', [out, mask], [call.input(0)], [], [p]);
  },
};

export const INDEXING_RULES: Readonly<Record<string, KernelRule>> = {
  embedding,
  embedding_grad: embeddingGrad,
  gather,
  scatter,
  scatter_add: scatter,
  cumsum: cumulate,
  cumprod: cumulate,
  argmax: argExtreme,
  argmin: argExtreme,
  topk: topK,
  dropout,
};
