/** One group of element-wise nodes to one `fused` instruction. */
import { type Group, iterationShape, reducedAtoms } from '../fuse.js';
import type { Node, ValueId } from '../graph.js';
import { FUSED_OPS, type FusedOp } from '../program.js';
import { FusedCode, type Operand } from './fusedCode.js';
import { storageOf } from './kernel.js';
import { nodeFlops } from './rule.js';
import { type Lowering, type Part, type Source, counter } from './lowering.js';
import { type Atom, atomStrides, atoms } from './space.js';
import { SharedGates } from './sharedGates.js';
import { REDUCTIONS, listAttr, numberAttr } from './table.js';
import { type View, expandView, product } from './view.js';

const REDUCTION_CODE: Readonly<Record<string, number>> = { sum: 1, amax: 2, amin: 3, prod: 4 };

/** A load or a store as a strided tensor over the atoms of the space. */
interface Access {
  readonly view: View;
  readonly strides: ReadonlyMap<Atom, number>;
}

/** Emits the group; `stored` tells which of its values others read from memory. */
export function emitGroup(lowering: Lowering, group: Group, stored: (value: ValueId) => boolean): void {
  const { table } = lowering;
  const nodes = group.nodes.map((index) => ({ index, node: table.graph.nodes[index]! }));
  const space = atoms(group.layouts.values().next().value!.flat());
  const elements = space.reduce((total, atom) => total * atom.size, 1);
  const flops = nodes.map(({ node }) => nodeFlops(table, node));
  const parts: Part[] = nodes.map(({ node }, i) => {
    return { stack: node.stack, scope: node.scope, weight: elements + flops[i]! };
  });

  const inputs: Access[] = [];
  const counters: { source: Source & { kind: 'iota' }; strides: ReadonlyMap<Atom, number> }[] = [];
  const reads = new Map<string, { input: number } | { counter: number } | { full: number }>();
  for (const { index, node } of nodes) {
    for (const value of node.inputs) {
      if (group.layouts.has(table.producer[table.base(value)]!)) continue;
      const source = lowering.source(value, group.phase, parts);
      const key = `${index}:${value}`;
      if (source.kind === 'full') {
        reads.set(key, { full: source.value });
        continue;
      }
      const layout = group.layouts.get(index)!;
      const spread = expandView(source.view, iterationShape(table, node));
      const strides = atomStrides(layout, spread.strides);
      if (source.kind === 'iota') {
        reads.set(key, { counter: counters.push({ source, strides }) - 1 });
      } else reads.set(key, { input: findOrAdd(inputs, { view: spread, strides }, space) });
    }
  }

  const outputs = nodes.flatMap(({ index, node }) => {
    const value = node.outputs[0]!;
    if (!stored(value)) return [];
    const view = lowering.places.get(value)!;
    const layout = group.layouts.get(index)!;
    const reduced = reducedAtoms(table, node, layout);
    const strides = atomStrides(layout, reduced ? keptStrides(lowering, node, view) : view.strides);
    if (reduced) for (const atom of reduced) strides.set(atom, 0);
    return [{ value, node, view, strides, reduced }];
  });

  const dims = orderAtoms(
    space,
    [...outputs, ...inputs],
    new Set(counters.flatMap(({ strides }) => nonZero(strides))),
    outputs.find(({ reduced }) => reduced)?.reduced ?? new Set(),
  );
  const lane = group.lane === 'i64' ? 1 : 0;
  const code = new FusedCode(inputs.length, group.phase !== 'init' && lane === 0);
  const counted = counters.map(({ source, strides }) =>
    counter(
      code,
      source,
      dims.map((list) => (list.length === 1 ? strides.get(list[0]!)! : 0)),
    ),
  );
  const registers = new Map<ValueId, Operand>();
  const read = (index: number, value: ValueId): Operand => {
    const known = registers.get(table.base(value));
    if (known && group.layouts.has(table.producer[table.base(value)]!)) return known;
    const found = reads.get(`${index}:${value}`)!;
    if ('full' in found) return { immediate: found.full };
    return 'input' in found ? { register: found.input } : counted[found.counter]!;
  };
  const shared = new SharedGates(
    nodes.map(({ node }) => node),
    table,
  );
  for (const { index, node } of nodes) {
    const operands = node.inputs.map((value) => read(index, value));
    const result = shared.compute(node, operands, code) ?? compute(lowering, node, operands, code);
    registers.set(node.outputs[0]!, result);
  }
  const { code: words, stored: results } = code.finish(outputs.map(({ value }) => registers.get(value)!));

  const reducedDims = new Set(outputs.flatMap(({ reduced }) => [...(reduced ?? [])]));
  let mask = 0;
  for (const [d, list] of dims.entries()) if (reducedDims.has(list[0]!)) mask |= 1 << d;
  const heads = outputs.flatMap(({ node, reduced }, i) => [
    reduced && reduced.size > 0 ? REDUCTION_CODE[node.op]! : 0,
    results[i]!,
    0,
  ]);
  const shape = dims.map((list) => product(list.map((atom) => atom.size)));
  const seen = (access: Access): View => ({
    ...access.view,
    shape,
    strides: dims.map((list) => access.strides.get(list[list.length - 1]!)!),
  });
  lowering.emit(
    'fused',
    group.phase,
    parts,
    [...outputs, ...inputs].map(seen),
    outputs.length,
    [lane, outputs.length, mask, ...heads, ...words],
    code.floats,
    flops.reduce((a, b) => a + b, 0),
  );
}

function nonZero(strides: ReadonlyMap<Atom, number>): Atom[] {
  return [...strides].filter(([, stride]) => stride !== 0).map(([atom]) => atom);
}

function findOrAdd(inputs: Access[], access: Access, space: readonly Atom[]): number {
  const same = (other: Access) =>
    other.view.buffer === access.view.buffer &&
    other.view.offset === access.view.offset &&
    space.every((atom) => other.strides.get(atom) === access.strides.get(atom));
  const index = inputs.findIndex(same);
  return index >= 0 ? index : inputs.push(access) - 1;
}

/** Strides of a reduction's result per dimension of its input (those of reduced dimensions do not matter). */
function keptStrides(lowering: Lowering, node: Node, view: View): number[] {
  const shape = lowering.table.shape(node.inputs[0]!);
  if (view.shape.length === shape.length) return [...view.strides];
  const dims = listAttr(node, 'dims');
  const reduced = new Set(dims.length > 0 ? dims : shape.keys());
  let next = 0;
  return shape.map((_, d) => (reduced.has(d) ? 0 : view.strides[next++]!));
}

/** Dimensions of the loop, outermost first: large strides outside, atoms that are contiguous everywhere joined. */
function orderAtoms(
  space: readonly Atom[],
  accesses: readonly Access[],
  alone: ReadonlySet<Atom>,
  reduced: ReadonlySet<Atom>,
): Atom[][] {
  const strideOf = (access: Access, atom: Atom) => access.strides.get(atom)!;
  const bySize = [...accesses].sort((a, b) => nonZero(b.strides).length - nonZero(a.strides).length);
  const sorted = [...space].sort((a, b) => {
    for (const access of bySize) {
      const [x, y] = [Math.abs(strideOf(access, a)), Math.abs(strideOf(access, b))];
      if (x !== 0 && y !== 0 && x !== y) return y - x;
    }
    return 0;
  });
  const dims: Atom[][] = [];
  for (const atom of sorted) {
    const last = dims[dims.length - 1];
    const outer = last?.[last.length - 1];
    const joins =
      outer !== undefined &&
      !alone.has(outer) &&
      !alone.has(atom) &&
      reduced.has(outer) === reduced.has(atom) &&
      accesses.every((access) => strideOf(access, outer) === strideOf(access, atom) * atom.size);
    if (joins) last!.push(atom);
    else dims.push([atom]);
  }
  return dims;
}

/** Code of one node. */
function compute(lowering: Lowering, node: Node, operands: Operand[], code: FusedCode): Operand {
  const { table } = lowering;
  if (REDUCTIONS.has(node.op) || node.op === 'copy') return operands[0]!;
  switch (node.op) {
    case 'cast': {
      const from = storageOf(table.type(node.inputs[0]!).dtype);
      const to = storageOf(table.type(node.outputs[0]!).dtype);
      if (to === 'u8' && from !== 'u8') return code.emit('ne', operands[0]!, { immediate: 0 });
      return to === 'i64' && from === 'f32' ? code.emit('trunc', operands[0]!) : operands[0]!;
    }
    case 'softplus': {
      const [beta, threshold] = [numberAttr(node, 'beta', 1), numberAttr(node, 'threshold', 20)];
      if (beta === 1 && threshold === 20) return code.emit('softplus', operands[0]!);
      const scaled = code.emit('mul', operands[0]!, { immediate: beta });
      const soft = code.emit('mul', code.emit('log1p', code.emit('exp', scaled)), { immediate: 1 / beta });
      return code.emit('where', code.emit('gt', scaled, { immediate: threshold }), operands[0]!, soft);
    }
    case 'softplus_grad': {
      const [beta, threshold] = [numberAttr(node, 'beta', 1), numberAttr(node, 'threshold', 20)];
      if (beta === 1 && threshold === 20) return code.emit('softplus_grad', operands[0]!, operands[1]!);
      const scaled = code.emit('mul', operands[1]!, { immediate: beta });
      const inner = code.emit('mul', operands[0]!, code.emit('sigmoid', scaled));
      return code.emit('where', code.emit('gt', scaled, { immediate: threshold }), operands[0]!, inner);
    }
    default:
      return code.emit(fusedOp(node.op), ...operands);
  }
}

function fusedOp(op: string): FusedOp {
  const found = FUSED_OPS.find((name) => name === op);
  if (!found) throw new Error(`Operation ${op} is not element-wise.`);
  return found;
}
