/** Reading and writing at computed positions. Indexes are i64; one out of range is an error, never wrapped. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { contiguousStrides, elementCount, isFloat, range, show } from '../shapes.js';
import { array, positions } from './arrays.js';
import { arity, declaredOne, dimOf, GraphError, type NdArray, type Row } from './operation.js';

function checkIndex(index: NdArray, size: number): void {
  for (const i of index.data)
    if (!(i >= 0 && i < size)) throw new GraphError(`index ${i} is out of range for size ${size}`);
}

function checkInteger(type: TensorType): void {
  if (type.dtype === 'bool' || type.dtype.startsWith('f') || type.dtype === 'bf16')
    throw new GraphError(`the index is ${type.dtype}, not an integer`);
}

/** Flat positions in a tensor of shape `of` that `index` names along `dim`. */
function alongIndex(of: readonly number[], index: NdArray, dim: number): Int32Array {
  checkIndex(index, of[dim]!);
  const strides = contiguousStrides(of);
  const at = positions(
    index.shape,
    strides.map((s, i) => (i === dim ? 0 : s)),
  );
  return at.map((start, i) => start + index.data[i]! * strides[dim]!);
}

function checkAlong(x: TensorType, index: TensorType, attrs: Attrs): number {
  checkInteger(index);
  const dim = dimOf(attrs, x.shape.length);
  if (index.shape.length !== x.shape.length || index.shape.some((n, i) => i !== dim && n > x.shape[i]!))
    throw new GraphError(`index ${show(index.shape)} does not fit ${show(x.shape)} along dim ${dim}`);
  return dim;
}

const scattering = (add: boolean): Row => ({
  infer: (inputs, attrs) => {
    arity(inputs, 3);
    const [base, index, src] = inputs as [TensorType, TensorType, TensorType];
    checkAlong(base, index, attrs);
    if (src.dtype !== base.dtype) throw new GraphError(`base is ${base.dtype} and src is ${src.dtype}`);
    if (src.shape.length !== index.shape.length || src.shape.some((n, i) => n < index.shape[i]!))
      throw new GraphError(`src ${show(src.shape)} is smaller than the index ${show(index.shape)}`);
    return [base];
  },
  vjp: ({ b, inputs, attrs, dys, wants }) => {
    const dy = dys[0];
    if (dy == null) return [null, null, null];
    const [, index, src] = inputs as [number, number, number];
    const zeros = b.full(0, { dtype: b.type(dy).dtype, shape: b.shape(index) });
    const picked = wants(2) ? b.one('gather', [dy, index], attrs) : null;
    const [read, whole] = [b.shape(index), b.shape(src)];
    return [
      !wants(0) ? null : add ? dy : b.one('scatter', [dy, index, zeros], attrs),
      null,
      picked === null
        ? null
        : b.pad(
            picked,
            read.map(() => 0),
            whole.map((n, i) => n - read[i]!),
          ),
    ];
  },
  flops: (inputs) => (add ? elementCount(inputs[1]!.shape) : 0),
  evaluate: ([base, index, src], attrs) => {
    const result = array(base!.shape, base!.data.slice());
    const from = positions(index!.shape, contiguousStrides(src!.shape));
    alongIndex(base!.shape, index!, dimOf(attrs, base!.shape.length)).forEach((at, i) => {
      result.data[at] = (add ? result.data[at]! : 0) + src!.data[from[i]!]!;
    });
    return [result];
  },
});

/** Rows [..., D] of a table [V, D]: `embedding`, which is for floats, or a gather of whole rows. */
function rowsOf(b: GraphBuilder, table: ValueId, index: ValueId): ValueId {
  if (isFloat(b.type(table).dtype)) return b.one('embedding', [table, index]);
  const width = b.shape(table)[1]!;
  const shape = b.shape(index);
  const count = elementCount(shape);
  const wide = b.expand(b.reshape(index, [count, 1]), [count, width]);
  return b.reshape(b.one('gather', [table, wide], { dim: 0 }), [...shape, width]);
}

export const indexingRows: Record<string, Row> = {
  embedding: {
    infer: (inputs) => {
      arity(inputs, 2);
      const [weight, index] = inputs as [TensorType, TensorType];
      checkInteger(index);
      if (weight.shape.length !== 2)
        throw new GraphError(`the weight should have 2 dims and is ${show(weight.shape)}`);
      return [{ dtype: weight.dtype, shape: [...index.shape, weight.shape[1]!] }];
    },
    vjp: ({ b, inputs, dys }) => [
      dys[0] == null
        ? null
        : b.one(
            'embedding_grad',
            [dys[0], inputs[1]!],
            {},
            { dtype: b.type(dys[0]).dtype, shape: b.shape(inputs[0]!) },
          ),
      null,
    ],
    decompose: (b, [table, index]) => (isFloat(b.type(table!).dtype) ? null : [rowsOf(b, table!, index!)]),
    bytes: ([, index], _attrs, [out]) => 8 * elementCount(out!.shape) + 8 * elementCount(index!.shape),
    evaluate: ([weight, index], _attrs, [out]) => {
      const [rows, width] = weight!.shape as [number, number];
      checkIndex(index!, rows);
      const result = array(out!.shape);
      index!.data.forEach((row, i) =>
        result.data.set(weight!.data.subarray(row * width, (row + 1) * width), i * width),
      );
      return [result];
    },
  },
  embedding_grad: {
    infer: (inputs, _attrs, declared) => {
      arity(inputs, 2);
      const out = declaredOne(declared);
      if (out.shape.length !== 2 || inputs[0]!.shape.at(-1) !== out.shape[1])
        throw new GraphError(`dy ${show(inputs[0]!.shape)} does not end in the width of ${show(out.shape)}`);
      return [{ dtype: inputs[0]!.dtype, shape: out.shape }];
    },
    flops: ([dy]) => elementCount(dy!.shape),
    evaluate: ([dy, index], _attrs, [out]) => {
      const [rows, width] = out!.shape as [number, number];
      checkIndex(index!, rows);
      const result = array(out!.shape);
      dy!.data.forEach((value, i) => {
        result.data[index!.data[Math.floor(i / width)]! * width + (i % width)]! += value;
      });
      return [result];
    },
  },
  index_select: {
    infer: (inputs, attrs) => {
      arity(inputs, 2);
      const [x, index] = inputs as [TensorType, TensorType];
      checkInteger(index);
      if (index.shape.length !== 1)
        throw new GraphError(`the index should have 1 dim and is ${show(index.shape)}`);
      const dim = dimOf(attrs, x.shape.length);
      return [{ dtype: x.dtype, shape: x.shape.map((n, i) => (i === dim ? index.shape[0]! : n)) }];
    },
    /** Rows of a table with `dim` first. */
    decompose: (b, [x, index], attrs, [out]) => {
      const shape = b.shape(x!);
      const dim = dimOf(attrs, shape.length);
      const order = [dim, ...range(0, shape.length).filter((d) => d !== dim)];
      const rest = order.slice(1).map((d) => shape[d]!);
      const rows = rowsOf(b, b.reshape(b.permute(x!, order), [shape[dim]!, elementCount(rest)]), index!);
      const back = shape.map((_, i) => order.indexOf(i));
      return [b.permute(b.reshape(rows, [out!.shape[dim]!, ...rest]), back)];
    },
    evaluate: ([x, index], attrs, [out]) => {
      const dim = dimOf(attrs, x!.shape.length);
      checkIndex(index!, x!.shape[dim]!);
      const strides = contiguousStrides(x!.shape);
      const outer = positions(
        out!.shape,
        strides.map((s, i) => (i === dim ? 0 : s)),
      );
      const line = positions(
        out!.shape,
        out!.shape.map((_, i) => (i === dim ? 1 : 0)),
      );
      const at = outer.map((start, i) => start + index!.data[line[i]!]! * strides[dim]!);
      return [
        array(
          out!.shape,
          Float64Array.from(at, (i) => x!.data[i]!),
        ),
      ];
    },
  },
  gather: {
    infer: (inputs, attrs) => {
      arity(inputs, 2);
      checkAlong(inputs[0]!, inputs[1]!, attrs);
      return [{ dtype: inputs[0]!.dtype, shape: inputs[1]!.shape }];
    },
    vjp: ({ b, inputs, attrs, dys }) => {
      if (dys[0] == null) return [null, null];
      const zeros = b.full(0, { dtype: b.type(dys[0]).dtype, shape: b.shape(inputs[0]!) });
      return [b.one('scatter_add', [zeros, inputs[1]!, dys[0]], attrs), null];
    },
    bytes: (_inputs, _attrs, [out]) => 16 * elementCount(out!.shape),
    evaluate: ([x, index], attrs, [out]) => {
      const at = alongIndex(x!.shape, index!, dimOf(attrs, x!.shape.length));
      return [
        array(
          out!.shape,
          Float64Array.from(at, (i) => x!.data[i]!),
        ),
      ];
    },
  },
  scatter: scattering(false),
  scatter_add: scattering(true),
};
