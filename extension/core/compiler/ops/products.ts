/** Matrix products. */
import type { TensorType } from '../graph.js';
import { broadcastShapes, contiguousStrides, elementCount, range, sameShape, show } from '../shapes.js';
import { array, broadcastStrides, positions } from './arrays.js';
import { arity, GraphError, type NdArray, type Row } from './operation.js';

function matmulShape(a: TensorType, b: TensorType): number[] {
  if (a.shape.length < 2 || b.shape.length < 2)
    throw new GraphError(`operands ${show(a.shape)} and ${show(b.shape)} should have at least 2 dims`);
  if (a.dtype !== b.dtype) throw new GraphError(`operands have dtypes ${a.dtype} and ${b.dtype}`);
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [k2, n] = b.shape.slice(-2) as [number, number];
  if (k !== k2) throw new GraphError(`inner sizes of ${show(a.shape)} and ${show(b.shape)} differ`);
  return [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
}

/** c[m, n] = sum over k of a[m, k] b[k, n], with flat offsets and strides. */
function product(
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  sizes: readonly [number, number, number],
  offsets: readonly [number, number, number],
  stridesB: readonly [number, number],
): void {
  const [m, k, n] = sizes;
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let l = 0; l < k; l++)
        total += a[offsets[0] + i * k + l]! * b[offsets[1] + l * stridesB[0] + j * stridesB[1]]!;
      c[offsets[2] + i * n + j] = total;
    }
}

export const productRows: Record<string, Row> = {
  matmul: {
    infer: (inputs) => {
      arity(inputs, 2);
      return [{ dtype: inputs[0]!.dtype, shape: matmulShape(inputs[0]!, inputs[1]!) }];
    },
    /** A batch of left matrices times one right matrix becomes one product; ranks become equal. */
    decompose: (b, [x, y], _attrs, [out]) => {
      const [left, right] = [b.shape(x!), b.shape(y!)];
      const batch = out!.shape.slice(0, -2);
      const sameBatch =
        left.length === right.length &&
        left.slice(0, -2).every((n, i) => n === right[i] || n === 1 || right[i] === 1);
      const one = elementCount(right.slice(0, -2)) === 1;
      if (one && left.length > 2) {
        const rows = elementCount(left.slice(0, -1));
        const flat = b.matmul(b.reshape(x!, [rows, left.at(-1)!]), b.reshape(y!, right.slice(-2)));
        return [b.reshape(flat, out!.shape)];
      }
      if (sameBatch) return null;
      const pad = (shape: readonly number[]): number[] => [
        ...range(0, batch.length + 2 - shape.length).map(() => 1),
        ...shape,
      ];
      return [b.matmul(b.reshape(x!, pad(left)), b.reshape(y!, pad(right)))];
    },
    vjp: ({ b, inputs: [x, y], dys, wants }) => {
      const dy = dys[0];
      if (dy == null) return [null, null];
      // The right operand first: where it is a weight, the left one is not needed any more after it.
      const right = wants(1) ? b.unbroadcast(b.matmul(b.transpose(x!), dy), b.shape(y!)) : null;
      return [wants(0) ? b.unbroadcast(b.matmul(dy, b.transpose(y!)), b.shape(x!)) : null, right];
    },
    flops: ([a], _attrs, [out]) => 2 * elementCount(out!.shape) * a!.shape.at(-1)!,
    evaluate: ([a, b], _attrs, [out]) => {
      const result = array(out!.shape);
      const batch = out!.shape.slice(0, -2);
      const [m, k] = a!.shape.slice(-2) as [number, number];
      const n = b!.shape.at(-1)!;
      const starts = (x: NdArray): Int32Array =>
        positions(batch, broadcastStrides(x.shape.slice(0, -2), batch)).map(
          (i) => i * x.shape.at(-1)! * x.shape.at(-2)!,
        );
      const [startsA, startsB] = [starts(a!), starts(b!)];
      startsA.forEach((at, i) =>
        product(a!.data, b!.data, result.data, [m, k, n], [at, startsB[i]!, i * m * n], [n, 1]),
      );
      return [result];
    },
  },
  linear: {
    infer: (inputs) => {
      arity(inputs, 2, 3);
      const [x, w, bias] = inputs as [TensorType, TensorType, TensorType?];
      if (w.shape.length !== 2) throw new GraphError(`the weight should have 2 dims and is ${show(w.shape)}`);
      const [n, k] = w.shape as [number, number];
      if (x.shape.at(-1) !== k)
        throw new GraphError(`x ${show(x.shape)} does not end in the ${k} columns of the weight`);
      if (x.dtype !== w.dtype) throw new GraphError(`x is ${x.dtype} and the weight is ${w.dtype}`);
      if (bias && !sameShape(bias.shape, [n]))
        throw new GraphError(`the bias is ${show(bias.shape)}, not [${n}]`);
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), n] }];
    },
    decompose: (b, [x, ...rest], _attrs, [out]) => {
      const shape = b.shape(x!);
      if (shape.length === 2) return null;
      const flat = b.one('linear', [
        b.reshape(x!, [elementCount(shape.slice(0, -1)), shape.at(-1)!]),
        ...rest,
      ]);
      return [b.reshape(flat, out!.shape)];
    },
    vjp: ({ b, inputs: [x, w, bias], dys, wants }) => {
      const dy = dys[0];
      if (dy == null) return [null, null, null];
      const [n, k] = b.shape(w!) as [number, number];
      const rows = elementCount(b.shape(dy)) / n;
      const flat = b.reshape(dy, [rows, n]);
      // The weight first: x, kept or made again for it, is free before the larger dx is made.
      const dw = wants(1) ? b.matmul(b.transpose(flat), b.reshape(x!, [rows, k])) : null;
      const dbias = bias !== undefined && wants(2) ? b.sum(flat, [0]) : null;
      return [wants(0) ? b.reshape(b.matmul(flat, w!), b.shape(x!)) : null, dw, dbias];
    },
    flops: ([x, w]) => 2 * elementCount(x!.shape) * w!.shape[0]!,
    evaluate: ([x, w, bias], _attrs, [out]) => {
      const result = array(out!.shape);
      const [n, k] = w!.shape as [number, number];
      const strides = contiguousStrides(w!.shape);
      product(
        x!.data,
        w!.data,
        result.data,
        [x!.data.length / k, k, n],
        [0, 0, 0],
        [strides[1]!, strides[0]!],
      );
      if (bias) result.data.forEach((value, i) => (result.data[i] = value + bias.data[i % n]!));
      return [result];
    },
  },
};
