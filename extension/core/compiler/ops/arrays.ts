/** Row-major float64 arrays of the reference interpreter: slow and plain. */
import { contiguousStrides, elementCount, sameShape, type Shape } from '../shapes.js';
import type { NdArray } from './operation.js';

export function array(shape: Shape, data: Float64Array = new Float64Array(elementCount(shape))): NdArray {
  return { shape: [...shape], data };
}

/** Flat source positions of a view with the given shape, strides and start. */
export function positions(shape: Shape, strides: readonly number[], start = 0): Int32Array {
  const out = new Int32Array(elementCount(shape));
  const index = new Array<number>(shape.length).fill(0);
  let at = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = at;
    for (let d = shape.length - 1; d >= 0; d--) {
      at += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      at -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}

/** Strides that repeat `shape` over the dims where it is broadcast to `target`. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = contiguousStrides(shape);
  const extra = target.length - shape.length;
  return target.map((_, i) => (i < extra || shape[i - extra] === 1 ? 0 : strides[i - extra]!));
}

export function take(x: NdArray, shape: Shape, at: Int32Array): NdArray {
  const data = new Float64Array(at.length);
  for (let i = 0; i < at.length; i++) data[i] = x.data[at[i]!]!;
  return array(shape, data);
}

export function broadcastTo(x: NdArray, shape: Shape): NdArray {
  if (sameShape(x.shape, shape)) return x;
  return take(x, shape, positions(shape, broadcastStrides(x.shape, shape)));
}

/** Applies `f` element by element over broadcast inputs. */
export function mapElements(
  inputs: readonly NdArray[],
  shape: Shape,
  f: (...x: number[]) => number,
): NdArray {
  const full = inputs.map((x) => broadcastTo(x, shape).data);
  const out = new Float64Array(elementCount(shape));
  const [a, b, c] = full;
  if (full.length === 1) for (let i = 0; i < out.length; i++) out[i] = f(a![i]!);
  else if (full.length === 2) for (let i = 0; i < out.length; i++) out[i] = f(a![i]!, b![i]!);
  else for (let i = 0; i < out.length; i++) out[i] = f(a![i]!, b![i]!, c![i]!);
  return array(shape, out);
}

export function permuted(x: NdArray, dims: readonly number[]): NdArray {
  const strides = contiguousStrides(x.shape);
  const shape = dims.map((d) => x.shape[d]!);
  return take(
    x,
    shape,
    positions(
      shape,
      dims.map((d) => strides[d]!),
    ),
  );
}

/** Flat positions of a strided region of a tensor of shape `of`. */
export function region(
  of: Shape,
  starts: readonly number[],
  steps: readonly number[],
  shape: Shape,
): Int32Array {
  const strides = contiguousStrides(of);
  let start = 0;
  strides.forEach((stride, i) => (start += stride * starts[i]!));
  return positions(
    shape,
    strides.map((stride, i) => stride * steps[i]!),
    start,
  );
}

/**
 * Moves `dim` last and calls `f` with each line; gives the result in the original order. Lines may change length to
 * `length`.
 */
export function alongDim(
  x: NdArray,
  dim: number,
  length: number,
  f: (line: Float64Array, out: Float64Array) => void,
): NdArray {
  const order = x.shape.map((_, i) => i).filter((i) => i !== dim);
  order.push(dim);
  const moved = permuted(x, order);
  const n = x.shape[dim] ?? 1;
  const rows = moved.data.length / Math.max(n, 1);
  const data = new Float64Array(rows * length);
  for (let r = 0; r < rows; r++)
    f(moved.data.subarray(r * n, (r + 1) * n), data.subarray(r * length, (r + 1) * length));
  const shape = [...moved.shape.slice(0, -1), length];
  const back = x.shape.map((_, i) => order.indexOf(i));
  return permuted(array(shape, data), back);
}
