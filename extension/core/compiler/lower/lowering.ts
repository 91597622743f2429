/**
 * What lowering knows while it runs: where each value stands, as a view of a buffer, an immediate or an affine
 * function of the position; and the kernels made so far.
 */
import type { Node, Phase, ValueId } from '../graph.js';
import type { Opcode, Storage } from '../program.js';
import { FusedCode, type Operand } from './fusedCode.js';
import { type Kernel, KernelList, storageOf } from './kernel.js';
import { type GraphTable, LEAF_OPS, VIEW_OPS, listAttr, numberAttr } from './table.js';
import {
  type View,
  expandView,
  hasUnitRows,
  permuteView,
  product,
  reshapeView,
  rowMajor,
  sameSizes,
  sliceView,
} from './view.js';

export type Source =
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'full'; readonly value: number }
  /** start + step * (position in a row-major counter), addressed through `view`. */
  | { readonly kind: 'iota'; readonly start: number; readonly step: number; readonly view: View };

export type Part = Kernel['parts'][number];

/** One view operation applied to a view; `null` when a reshape would need a copy. */
export function applyView(node: Node, view: View, shape: readonly number[]): View | null {
  switch (node.op) {
    case 'reshape':
      return reshapeView(view, shape);
    case 'permute':
      return permuteView(view, listAttr(node, 'dims'));
    case 'expand':
      return expandView(view, shape);
    default:
      return sliceView(view, listAttr(node, 'starts'), listAttr(node, 'steps'), shape);
  }
}

export class Lowering {
  readonly list = new KernelList();
  /** Where materialised values stand. */
  readonly places = new Map<ValueId, View>();
  /** Row-major copies made because a kernel or a view could not use the value in place. */
  private readonly copies = new Map<ValueId, View>();

  constructor(
    readonly table: GraphTable,
    readonly bf16: boolean,
  ) {}

  storage(value: ValueId): Storage {
    return storageOf(this.table.type(value).dtype);
  }

  /** Where a value stands, without making kernels; `null` when a view of it would need a copy. */
  peek(value: ValueId): Source | null {
    const place = this.places.get(value) ?? this.copies.get(value);
    if (place) return { kind: 'view', view: place };
    const node = this.table.node(value);
    if (!node) throw new Error(`Value %${value} is made by no operation.`);
    if (VIEW_OPS.has(node.op)) {
      const inner = this.peek(node.inputs[0]!);
      if (!inner || inner.kind === 'full') return inner;
      const view = applyView(node, inner.view, this.table.shape(value));
      return view && { ...inner, view };
    }
    if (node.op === 'full') return { kind: 'full', value: numberAttr(node, 'value') };
    if (node.op === 'arange') {
      const shape = this.table.shape(value);
      const view = { buffer: -1, offset: 0, shape, strides: rowMajor(shape) };
      return { kind: 'iota', start: numberAttr(node, 'start'), step: numberAttr(node, 'step'), view };
    }
    throw new Error(`The result of ${node.op} (%${value}) has no place.`);
  }

  /** Where a value stands; copies where a reshape of it is impossible in place. */
  source(value: ValueId, phase: Phase, parts: readonly Part[]): Source {
    const found = this.peek(value);
    if (found) return found;
    const node = this.table.node(value)!;
    const input = node.inputs[0]!;
    const inner = this.source(input, phase, parts);
    if (inner.kind === 'full') return inner;
    const direct = applyView(node, inner.view, this.table.shape(value));
    if (direct) return { ...inner, view: direct };
    const copy = this.copy(input, phase, parts);
    return { kind: 'view', view: applyView(node, copy, this.table.shape(value))! };
  }

  /** A row-major copy of a value in memory, made once. */
  copy(value: ValueId, phase: Phase, parts: readonly Part[]): View {
    const known = this.copies.get(value);
    if (known) return known;
    const target = this.list.temporary(this.storage(value), this.table.shape(value));
    this.write(target, this.source(value, phase, parts), phase, parts);
    this.copies.set(value, target);
    return target;
  }

  /** The value in memory as some view `accept` takes, copied row-major if it refuses the one at hand. */
  operand(value: ValueId, accept: (view: View) => View | null, phase: Phase, parts: readonly Part[]): View {
    const source = this.source(value, phase, parts);
    if (source.kind === 'view') {
      const accepted = accept(source.view);
      if (accepted) return accepted;
    }
    const accepted = accept(this.copy(value, phase, parts));
    if (!accepted) throw new Error(`A kernel refuses even a row-major copy of %${value}.`);
    return accepted;
  }

  /** Fills `target` from a source of the same shape: a `fused` copy. */
  write(target: View, source: Source, phase: Phase, parts: readonly Part[]): void {
    if (product(target.shape) === 0) return;
    if (source.kind === 'view') {
      if (!sameSizes(source.view.shape, target.shape)) throw new Error('A copy joins different shapes.');
      const order = collapseOrder([target, source.view]);
      const lane = this.list.storage(target) === 'i64' || this.list.storage(source.view) === 'i64' ? 1 : 0;
      this.emit('fused', phase, parts, order, 1, [lane, 1, 0, 0, 0, 0], [], 0);
      return;
    }
    const lane = this.list.storage(target) === 'i64' ? 1 : 0;
    if (source.kind === 'full') {
      const [view] = collapseOrder([target]);
      this.emit('fused', phase, parts, [view!], 1, [lane, 1, 0, 0, 0, 0, 0, 0, 128, 0, 0], [source.value], 0);
      return;
    }
    const code = new FusedCode(0, false);
    const { code: words, stored } = code.finish([counter(code, source, source.view.strides)]);
    this.emit('fused', phase, parts, [target], 1, [lane, 1, 0, 0, stored[0]!, 0, ...words], code.floats, 0);
  }

  emit(
    op: Opcode,
    phase: Phase,
    parts: readonly Part[],
    operands: readonly (View | null)[],
    outputs: number,
    ints: readonly number[],
    floats: readonly number[],
    flops: number,
    updates: readonly number[] = [],
  ): void {
    this.list.kernels.push({ op, phase, operands, outputs, updates, ints, floats, flops, parts });
  }
}

/** Code for start + step * (offset + sum of index * stride) over the dimensions of an iteration space. */
export function counter(
  code: FusedCode,
  source: { readonly start: number; readonly step: number; readonly view: View },
  strides: readonly number[],
): Operand {
  let sum: Operand = { immediate: source.start + source.step * source.view.offset };
  for (const [d, stride] of strides.entries()) {
    const factor = stride * source.step;
    if (factor === 0) continue;
    const position = code.index(d);
    const scaled = factor === 1 ? position : code.emit('mul', position, { immediate: factor });
    sum = 'immediate' in sum && sum.immediate === 0 ? scaled : code.emit('add', scaled, sum);
  }
  return sum;
}

/** Sorts dimensions by the first operand's strides and joins those that are contiguous together in all operands. */
export function collapseOrder(views: readonly View[]): View[] {
  const first = views[0]!;
  const dims = first.shape.map((_, d) => d).filter((d) => first.shape[d] !== 1);
  dims.sort((a, b) => {
    for (const view of views) {
      const [x, y] = [Math.abs(view.strides[a]!), Math.abs(view.strides[b]!)];
      if (x !== y) return y - x;
    }
    return a - b;
  });
  const groups: number[][] = [];
  for (const d of dims) {
    const last = groups[groups.length - 1];
    const outer = last?.[last.length - 1];
    const joins =
      outer !== undefined && views.every((view) => view.strides[outer] === view.strides[d]! * view.shape[d]!);
    if (joins) last!.push(d);
    else groups.push([d]);
  }
  return views.map((view) => ({
    ...view,
    shape: groups.map((group) => product(group.map((d) => view.shape[d]!))),
    strides: groups.map((group) => view.strides[group[group.length - 1]!]!),
  }));
}

/** Takes a view as it is. */
export function anyView(view: View): View {
  return view;
}

/** Takes views whose last dimension is contiguous. */
export function unitRows(view: View): View | null {
  return hasUnitRows(view) ? view : null;
}

/** Takes what can be seen under `shape` with contiguous rows. */
export function rowsAs(shape: readonly number[]): (view: View) => View | null {
  return (view) => {
    const seen = reshapeView(view, shape);
    return seen && hasUnitRows(seen) ? seen : null;
  };
}

/** Takes what can be seen under `shape` with any strides. */
export function seenAs(shape: readonly number[]): (view: View) => View | null {
  return (view) => reshapeView(view, shape);
}

export function isLeaf(node: Node): boolean {
  return LEAF_OPS.has(node.op);
}
