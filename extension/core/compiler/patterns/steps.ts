/**
 * What a tensor made from constants holds, worked out without making it: enough to tell whether a mask is causal.
 *
 * A tensor is `affine` (a sum of multiples of its indexes, as an `arange` is) or `steps`: a function of the distance
 * index[column] - index[row] that is constant between thresholds, as `tril(ones)` and everything computed from it
 * element by element is. Buffers are looked through to the graph that initialises them.
 */
import type { Graph, Node, Trace, ValueId } from '../graph.js';
import { readConstant } from '../ops/constants.js';
import { integers, number } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { elementCount, type Shape } from '../shapes.js';

export interface Affine {
  readonly kind: 'affine';
  /** Factor per dim. */
  readonly factors: readonly number[];
  readonly offset: number;
}

export interface Steps {
  readonly kind: 'steps';
  /** Dims of the distance; -1 for a tensor whose elements are all equal. */
  readonly row: number;
  readonly column: number;
  /** `values[i]` holds for starts[i] <= distance < starts[i + 1]; starts[0] is -Infinity. */
  readonly starts: readonly number[];
  readonly values: readonly number[];
}

export type Content = Affine | Steps;

export const uniformContent = (value: number): Steps => ({
  kind: 'steps',
  row: -1,
  column: -1,
  starts: [-Infinity],
  values: [value],
});

export function valueAt({ starts, values }: Steps, distance: number): number {
  let i = starts.length - 1;
  while (starts[i]! > distance) i--;
  return values[i]!;
}

function merged(steps: Steps): Steps {
  const starts: number[] = [];
  const values: number[] = [];
  steps.values.forEach((value, i) => {
    if (i > 0 && Object.is(value, values.at(-1))) return;
    starts.push(steps.starts[i]!);
    values.push(value);
  });
  return values.length === 1 ? uniformContent(values[0]!) : { ...steps, starts, values };
}

/** Applies `f` to contents that vary, if at all, over the same two dims. */
function combine(parts: readonly Steps[], f: (...x: number[]) => number): Steps | null {
  const varying = parts.filter((part) => part.row >= 0);
  const { row, column } = varying[0] ?? parts[0]!;
  if (varying.some((part) => part.row !== row || part.column !== column)) return null;
  const starts = [...new Set(parts.flatMap((part) => part.starts))].sort((a, b) => a - b);
  const values = starts.map((start) => f(...parts.map((part) => valueAt(part, start))));
  return merged({ kind: 'steps', row, column, starts, values });
}

/** A comparison with zero of `difference`, which may vary over two dims with opposite factors. */
function compare(op: string, difference: Affine): Steps | null {
  const dims = difference.factors.map((_, i) => i).filter((i) => difference.factors[i] !== 0);
  const f = operation(op).scalar!({});
  if (dims.length === 0) return uniformContent(f(difference.offset, 0));
  const [row, column] = dims as [number, number];
  const factor = difference.factors[column] ?? 0;
  if (dims.length !== 2 || difference.factors[row] !== -factor) return null;
  const zero = -difference.offset / factor;
  const below = Math.ceil(zero);
  const starts = [-Infinity, below, Math.floor(zero) + 1].filter((start, i, all) => start !== all[i - 1]);
  const values = starts.map((start) =>
    f(factor * (start === -Infinity ? below - 1 : start) + difference.offset, 0),
  );
  return merged({ kind: 'steps', row, column, starts, values });
}

const COMPARISONS = new Set(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);

/** Positions of the old dims in a shape that differs by dims of size 1 only; null when elements are regrouped. */
function dimsAfterReshape(from: Shape, to: Shape): number[] | null {
  const kept = to.map((_, i) => i).filter((i) => to[i] !== 1);
  const out: number[] = [];
  for (const [i, size] of from.entries()) {
    if (size === 1) out.push(-1);
    else if (to[kept[0] ?? -1] === size) out.push(kept.shift()!);
    else return null;
    if (out[i] === undefined) return null;
  }
  return kept.length === 0 ? out : null;
}

/** Dims renamed; a dim of size 1 contributes nothing. */
function moveDims(content: Content, to: readonly number[], rank: number): Content | null {
  if (content.kind === 'affine') {
    const factors = new Array<number>(rank).fill(0);
    content.factors.forEach((factor, i) => {
      if (to[i]! >= 0) factors[to[i]!] = factor;
    });
    return { ...content, factors };
  }
  if (content.row < 0) return content;
  const [row, column] = [to[content.row]!, to[content.column]!];
  return row < 0 || column < 0 ? null : { ...content, row, column };
}

/** Distance of a region's element from distances of the tensor it was taken from. */
function sliced(content: Content, starts: readonly number[], steps: readonly number[]): Content | null {
  if (content.kind === 'affine')
    return {
      kind: 'affine',
      factors: content.factors.map((factor, i) => factor * steps[i]!),
      offset: content.factors.reduce((sum, factor, i) => sum + factor * starts[i]!, content.offset),
    };
  if (content.row < 0) return content;
  if (steps[content.row] !== 1 || steps[content.column] !== 1) return null;
  const shift = starts[content.column]! - starts[content.row]!;
  return { ...content, starts: content.starts.map((start) => start - shift) };
}

/** A constant matrix whose every diagonal is constant. */
function fromBytes(data: Float64Array, shape: Shape): Content | null {
  const varying = shape.map((_, i) => i).filter((i) => shape[i] !== 1);
  if (data.every((value) => Object.is(value, data[0])))
    return data.length > 0 ? uniformContent(data[0]!) : null;
  if (varying.length !== 2) return null;
  const [row, column] = varying as [number, number];
  const [rows, columns] = [shape[row]!, shape[column]!];
  const diagonal = (distance: number): number => data[distance >= 0 ? distance : -distance * columns]!;
  for (let i = 0; i < data.length; i++)
    if (!Object.is(data[i], diagonal((i % columns) - Math.floor(i / columns)))) return null;
  const starts = [-Infinity];
  const values = [diagonal(1 - rows)];
  for (let distance = 2 - rows; distance < columns; distance++) {
    starts.push(distance);
    values.push(diagonal(distance));
  }
  return merged({ kind: 'steps', row, column, starts, values });
}

/** A mask made by a longer chain of operations is not looked into. */
const DEEPEST = 200;

/** Works out contents of one graph's values, each once. */
export class Contents {
  private readonly known = new Map<ValueId, Content | null>();
  private depth = 0;

  constructor(
    private readonly producer: (value: ValueId) => Node,
    private readonly shapeOf: (value: ValueId) => Shape,
    private readonly constants: readonly Uint8Array[],
    private readonly typeOf: (value: ValueId) => Graph['values'][number],
    /** Content a state tensor starts with. */
    private readonly initial: (index: number) => Content | null,
  ) {}

  of(value: ValueId): Content | null {
    const known = this.known.get(value);
    if (known !== undefined) return known;
    if (this.depth > DEEPEST) return null;
    this.depth++;
    const content = this.compute(this.producer(value), value);
    this.depth--;
    this.known.set(value, content);
    return content;
  }

  steps(value: ValueId): Steps | null {
    const content = this.of(value);
    return content?.kind === 'steps' ? content : null;
  }

  private compute(node: Node, value: ValueId): Content | null {
    const { attrs } = node;
    const shape = this.shapeOf(value);
    const x = node.inputs[0];
    const inner = (): Content | null => (x === undefined ? null : this.of(x));
    switch (node.op) {
      case 'full':
        return uniformContent(number(attrs, 'value'));
      case 'arange':
        return { kind: 'affine', factors: [number(attrs, 'step')], offset: number(attrs, 'start') };
      case 'state':
        return this.initial(number(attrs, 'index'));
      case 'constant': {
        const bytes = this.constants[number(attrs, 'blob')];
        return bytes && elementCount(shape) <= 1 << 26
          ? fromBytes(readConstant(bytes, this.typeOf(value)), shape)
          : null;
      }
      case 'detach':
        return inner();
      case 'cast': {
        const content = inner();
        const { dtype } = this.typeOf(value);
        if (content?.kind !== 'steps') return dtype === 'bool' ? null : content;
        const convert = (v: number): number =>
          dtype === 'bool' ? Number(v !== 0) : dtype.startsWith('i') ? Math.trunc(v) : v;
        return combine([content], convert);
      }
      case 'reshape':
        return this.moved(inner(), dimsAfterReshape(this.shapeOf(x!), shape), shape);
      case 'permute': {
        const dims = integers(attrs, 'dims').map((d) => (d < 0 ? d + shape.length : d));
        return this.moved(
          inner(),
          dims.map((_, i) => dims.indexOf(i)),
          shape,
        );
      }
      case 'expand': {
        const from = this.shapeOf(x!);
        const extra = shape.length - from.length;
        return this.moved(
          inner(),
          from.map((size, i) => (size === 1 && shape[i + extra] !== 1 ? -1 : i + extra)),
          shape,
        );
      }
      case 'slice': {
        const content = inner();
        return content && sliced(content, integers(attrs, 'starts'), integers(attrs, 'steps'));
      }
      case 'tril':
      case 'triu':
        return this.triangle(node, inner(), shape);
      default:
        return this.elementwise(node, shape);
    }
  }

  private moved(content: Content | null, to: readonly number[] | null, shape: Shape): Content | null {
    return content && to && moveDims(content, to, shape.length);
  }

  private triangle(node: Node, content: Content | null, shape: Shape): Content | null {
    if (content?.kind !== 'steps') return null;
    const diagonal = number(node.attrs, 'diagonal', 0);
    const [row, column] = [shape.length - 2, shape.length - 1];
    const upper = node.op === 'triu';
    const starts = [-Infinity, upper ? diagonal : diagonal + 1];
    return combine(
      [content, { kind: 'steps', row, column, starts, values: upper ? [0, 1] : [1, 0] }],
      (value, keep) => (keep !== 0 ? value : 0),
    );
  }

  private elementwise(node: Node, shape: Shape): Content | null {
    const { scalar } = operation(node.op);
    if (!scalar) return null;
    const parts: Content[] = [];
    for (const id of node.inputs) {
      const content = this.of(id);
      const from = this.shapeOf(id);
      const extra = shape.length - from.length;
      const dims = from.map((size, i) => (size === 1 && shape[i + extra] !== 1 ? -1 : i + extra));
      const aligned = content && moveDims(content, dims, shape.length);
      if (!aligned) return null;
      parts.push(aligned);
    }
    const steps = parts.filter((part) => part.kind === 'steps');
    if (steps.length === parts.length) return combine(steps, scalar(node.attrs));
    return this.affine(node.op, parts, shape.length);
  }

  private affine(op: string, parts: readonly Content[], rank: number): Content | null {
    const lifted = parts.map((part): Affine | null => {
      if (part.kind === 'affine') return part;
      return part.row < 0
        ? { kind: 'affine', factors: new Array<number>(rank).fill(0), offset: part.values[0]! }
        : null;
    });
    const [a, b] = lifted;
    if (!a || (parts.length === 2 && !b) || parts.length > 2) return null;
    const sum = (x: Affine, y: Affine, sign: number): Affine => ({
      kind: 'affine',
      factors: x.factors.map((factor, i) => factor + sign * y.factors[i]!),
      offset: x.offset + sign * y.offset,
    });
    const times = (x: Affine, by: number): Affine => ({
      ...x,
      factors: x.factors.map((f) => f * by),
      offset: x.offset * by,
    });
    const isConstant = (x: Affine): boolean => x.factors.every((f) => f === 0);
    if (op === 'neg') return times(a, -1);
    if (!b) return null;
    if (op === 'add') return sum(a, b, 1);
    if (op === 'sub') return sum(a, b, -1);
    if (op === 'mul') return isConstant(b) ? times(a, b.offset) : isConstant(a) ? times(b, a.offset) : null;
    return COMPARISONS.has(op) ? compare(op, sum(a, b, -1)) : null;
  }
}

/** Contents of the tensors a trace starts with; parameters, which training changes, have none. */
export function initialContents(trace: Pick<Trace, 'init' | 'state'>): (index: number) => Content | null {
  const { init, state } = trace;
  const producers = new Map<ValueId, Node>();
  for (const node of init.nodes) for (const id of node.outputs) producers.set(id, node);
  const contents = new Contents(
    (value) => producers.get(value)!,
    (value) => init.values[value]!.shape,
    init.constants,
    (value) => init.values[value]!,
    () => null,
  );
  return (index) => {
    const tensor = state[index];
    if (!tensor || tensor.kind === 'parameter' || !producers.has(tensor.initial)) return null;
    return contents.of(tensor.initial);
  };
}
