/**
 * Where a tensor is zero by construction: zeros that were padded, masked or written as constants, followed through
 * views and element-wise operations. Whatever a parameter's value, these elements stay zero, and so their gradients are
 * never used.
 */
import type { Node, ValueId } from '../graph.js';
import { broadcastTo, positions, region } from '../ops/arrays.js';
import { dimOf, integers, number, type NdArray } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { elementCount, type Shape } from '../shapes.js';
import { valueAt, type Contents } from './steps.js';

/** A larger tensor is not looked into. */
const LARGEST = 1 << 22;
/** Nor is one made by a longer chain of operations. */
const DEEPEST = 64;

/** 0 where an element is zero by construction, else 1; `null`: nowhere. */
type Support = Float64Array | null;

export class Supports {
  private readonly known = new Map<ValueId, Support>();
  /** Results by how a value is made: layers of a model differ in their parameters only. */
  private readonly alike = new Map<string, Support>();
  private readonly keys = new Map<ValueId, string>();

  constructor(
    private readonly producer: (value: ValueId) => Node,
    private readonly shapeOf: (value: ValueId) => Shape,
    private readonly contents: Contents,
  ) {}

  of(value: ValueId, depth = 0): Support {
    const known = this.known.get(value);
    if (known !== undefined) return known;
    if (depth > DEEPEST || elementCount(this.shapeOf(value)) > LARGEST) return null;
    const key = this.keyOf(value, depth);
    const same = this.alike.get(key);
    const support = same === undefined ? this.compute(value, depth) : same;
    this.known.set(value, support);
    this.alike.set(key, support);
    return support;
  }

  /** The chain that makes a value, down to sources without known zeros. */
  private keyOf(value: ValueId, depth: number): string {
    const known = this.keys.get(value);
    if (known !== undefined) return known;
    const node = this.producer(value);
    const shape = this.shapeOf(value).join();
    let key = `%${value}`;
    if (depth <= DEEPEST && (node.inputs.length > 0 || node.op === 'full'))
      key = `${node.op}${JSON.stringify(node.attrs)}[${shape}](${node.inputs.map((id) => this.keyOf(id, depth + 1)).join()})`;
    else if (this.contents.of(value) === null) key = `?[${shape}]`;
    if (key.length > 4000) key = `%${value}`;
    this.keys.set(value, key);
    return key;
  }

  private compute(value: ValueId, depth: number): Support {
    const node = this.producer(value);
    const shape = this.shapeOf(value);
    const inputs = (): (NdArray | null)[] =>
      node.inputs.map((id) => {
        const support = this.of(id, depth + 1);
        return support && { shape: this.shapeOf(id), data: support };
      });
    const steps = this.contents.steps(value);
    if (steps) {
      if (steps.values.every((number) => number !== 0)) return null;
      const [row, column] = [steps.row, steps.column];
      if (row < 0) return new Float64Array(elementCount(shape));
      const strides = (dim: number): number[] => shape.map((_, d) => (d === dim ? 1 : 0));
      const [i, j] = [positions(shape, strides(row)), positions(shape, strides(column))];
      return Float64Array.from(i, (from, at) => Number(valueAt(steps, j[at]! - from) !== 0));
    }
    switch (node.op) {
      case 'reshape':
      case 'permute':
      case 'expand':
      case 'slice':
      case 'tril':
      case 'triu':
        return this.moved(node, shape, inputs()[0]!);
      case 'pad':
        return this.padded(node, shape, inputs()[0]!);
      case 'cat':
        return this.joined(node, shape, inputs());
      case 'where': {
        const [, x, y] = inputs();
        return either(shape, [x!, y!]);
      }
      case 'add':
      case 'sub':
        return either(shape, inputs());
      case 'mul':
        return both(shape, inputs());
      case 'div':
        return both(shape, [inputs()[0]!]);
      default: {
        const { scalar } = operation(node.op);
        const keepsZero = scalar !== undefined && node.inputs.length === 1 && scalar(node.attrs)(0) === 0;
        return keepsZero ? both(shape, inputs()) : null;
      }
    }
  }

  private moved(node: Node, shape: Shape, x: NdArray | null): Support {
    const triangle = node.op === 'tril' || node.op === 'triu';
    if (!x && !triangle) return null;
    const given = x ?? { shape, data: new Float64Array(elementCount(shape)).fill(1) };
    const { evaluate } = operation(node.op);
    const context = { types: [], constants: [], random: () => 0 };
    return evaluate!([given], node.attrs, [{ dtype: 'f32', shape }], context)[0]!.data;
  }

  private padded(node: Node, shape: Shape, x: NdArray | null): Support {
    if (number(node.attrs, 'value', 0) !== 0) return null;
    const inner = this.shapeOf(node.inputs[0]!);
    return place(new Float64Array(elementCount(shape)), shape, integers(node.attrs, 'low'), inner, x);
  }

  private joined(node: Node, shape: Shape, parts: readonly (NdArray | null)[]): Support {
    if (parts.every((part) => part === null)) return null;
    const result = new Float64Array(elementCount(shape));
    const dim = dimOf(node.attrs, shape.length);
    let start = 0;
    for (const [i, part] of parts.entries()) {
      const inner = this.shapeOf(node.inputs[i]!);
      const starts = shape.map((_, d) => (d === dim ? start : 0));
      place(result, shape, starts, inner, part);
      start += inner[dim]!;
    }
    return result;
  }
}

/** Writes the support of a part into that of the whole. */
function place(
  whole: Float64Array,
  shape: Shape,
  starts: readonly number[],
  inner: Shape,
  part: NdArray | null,
): Float64Array {
  const steps = starts.map(() => 1);
  region(shape, starts, steps, inner).forEach((at, i) => (whole[at] = part ? part.data[i]! : 1));
  return whole;
}

/** Zero where one of the factors is. */
function both(shape: Shape, factors: readonly (NdArray | null)[]): Support {
  const known = factors.filter((factor) => factor !== null).map((factor) => broadcastTo(factor, shape).data);
  if (known.length === 0) return null;
  return known[0]!.map((first, i) => Number(first !== 0 && known.every((data) => data[i] !== 0)));
}

/** Zero where all of the terms are. */
function either(shape: Shape, terms: readonly (NdArray | null)[]): Support {
  const known = terms.map((term) => term && broadcastTo(term, shape).data);
  if (known.some((data) => data === null)) return null;
  return known[0]!.map((_, i) => Number(known.some((data) => data![i] !== 0)));
}

/** first <= j - i < last for every element [..., i, j] of `value` that may not be zero. */
export function diagonalsOf(
  supports: Supports,
  value: ValueId,
  shape: Shape,
): { first: number; last: number } {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const support = supports.of(value);
  if (support === null) return { first: 1 - rows, last: columns };
  let [first, last] = [columns, 1 - rows];
  support.forEach((there, at) => {
    if (there === 0) return;
    const distance = (at % columns) - (Math.floor(at / columns) % rows);
    first = Math.min(first, distance);
    last = Math.max(last, distance + 1);
  });
  return first < last ? { first, last } : { first: 0, last: 0 };
}
