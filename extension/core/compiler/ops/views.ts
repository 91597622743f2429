/** Sources, views and structure: operations that make or move elements without arithmetic. */
import type { TensorType } from '../graph.js';
import { broadcastShapes, elementCount, range, sameShape, show } from '../shapes.js';
import { array, broadcastTo, permuted, region, take } from './arrays.js';
import { readConstant } from './constants.js';
import { arity, declaredOne, dimOf, GraphError, integers, number, type Row } from './operation.js';

/** A view moves nothing; the reader of its result is charged. */
const free = (): number => 0;

const source = (row: Partial<Row> = {}): Row => ({
  infer: (inputs, _attrs, declared) => {
    arity(inputs, 0);
    return [declaredOne(declared)];
  },
  bytes: free,
  ...row,
});

/** Checks that a strided region of `shape` lies inside `of`. */
function checkRegion(
  of: readonly number[],
  starts: readonly number[],
  steps: readonly number[],
  shape: readonly number[],
): void {
  if (starts.length !== of.length || steps.length !== of.length || shape.length !== of.length)
    throw new GraphError(`starts, steps and the region should have ${of.length} dims each`);
  for (let d = 0; d < of.length; d++) {
    const last = starts[d]! + steps[d]! * (shape[d]! - 1);
    const inside = starts[d]! >= 0 && last >= 0 && starts[d]! < of[d]! && last < of[d]!;
    if (shape[d]! > 0 && (!inside || steps[d] === 0))
      throw new GraphError(
        `region from ${starts[d]} step ${steps[d]} size ${shape[d]} leaves dim ${d} of ${show(of)}`,
      );
  }
}

const triangle = (upper: boolean): Row => ({
  infer: (inputs) => {
    arity(inputs, 1);
    if (inputs[0]!.shape.length < 2) throw new GraphError('takes a matrix or a batch of them');
    return [inputs[0]!];
  },
  vjp: ({ b, attrs, dys }) => [dys[0] == null ? null : b.one(upper ? 'triu' : 'tril', [dys[0]], attrs)],
  evaluate: ([x], attrs) => {
    const [rows, columns] = x!.shape.slice(-2) as [number, number];
    const diagonal = number(attrs, 'diagonal', 0);
    const data = x!.data.map((value, i) => {
      const distance = (i % columns) - (Math.floor(i / columns) % rows) - diagonal;
      return (upper ? distance >= 0 : distance <= 0) ? value : 0;
    });
    return [array(x!.shape, data)];
  },
});

export const viewRows: Record<string, Row> = {
  /** Attribute `index`: which state tensor. */
  state: source(),
  /** Attribute `name`: `idx` or `targets`. */
  input: source(),
  full: source({
    evaluate: (_inputs, attrs, [out]) => {
      const data = new Float64Array(elementCount(out!.shape)).fill(number(attrs, 'value'));
      return [array(out!.shape, data)];
    },
  }),
  arange: source({
    infer: (inputs, _attrs, declared) => {
      arity(inputs, 0);
      const type = declaredOne(declared);
      if (type.shape.length !== 1) throw new GraphError(`makes a 1-D tensor, not ${show(type.shape)}`);
      return [type];
    },
    evaluate: (_inputs, attrs, [out]) => {
      const data = new Float64Array(elementCount(out!.shape));
      return [
        array(
          out!.shape,
          data.map((_, i) => number(attrs, 'start') + i * number(attrs, 'step')),
        ),
      ];
    },
  }),
  constant: source({
    evaluate: (_inputs, attrs, [out], { constants }) => {
      const bytes = constants[number(attrs, 'blob')];
      if (!bytes) throw new GraphError(`there is no constant ${number(attrs, 'blob')}`);
      return [array(out!.shape, readConstant(bytes, out!))];
    },
  }),
  cotangent: source(),

  reshape: {
    infer: (inputs, _attrs, declared) => {
      arity(inputs, 1);
      const out = declaredOne(declared);
      if (elementCount(out.shape) !== elementCount(inputs[0]!.shape))
        throw new GraphError(
          `shape ${show(inputs[0]!.shape)} does not have the elements of ${show(out.shape)}`,
        );
      return [{ dtype: inputs[0]!.dtype, shape: out.shape }];
    },
    vjp: ({ b, inputs, dys }) => [dys[0] == null ? null : b.reshape(dys[0], b.shape(inputs[0]!))],
    bytes: free,
    evaluate: ([x], _attrs, [out]) => [array(out!.shape, x!.data)],
  },
  permute: {
    infer: (inputs, attrs) => {
      arity(inputs, 1);
      const { dtype, shape } = inputs[0]!;
      const dims = integers(attrs, 'dims');
      if (dims.length !== shape.length || range(0, shape.length).some((d) => !dims.includes(d)))
        throw new GraphError(`dims [${dims.join(', ')}] do not reorder ${show(shape)}`);
      return [{ dtype, shape: dims.map((d) => shape[d]!) }];
    },
    vjp: ({ b, attrs, dys }) => {
      const dims = integers(attrs, 'dims');
      return [
        dys[0] == null
          ? null
          : b.permute(
              dys[0],
              dims.map((_, i) => dims.indexOf(i)),
            ),
      ];
    },
    bytes: free,
    evaluate: ([x], attrs) => [permuted(x!, integers(attrs, 'dims'))],
  },
  expand: {
    infer: (inputs, _attrs, declared) => {
      arity(inputs, 1);
      const { dtype, shape } = inputs[0]!;
      const out = declaredOne(declared).shape;
      if (!sameShape(broadcastShapes(shape, out), out))
        throw new GraphError(`${show(shape)} does not expand to ${show(out)}`);
      return [{ dtype, shape: out }];
    },
    vjp: ({ b, inputs, dys }) => [dys[0] == null ? null : b.unbroadcast(dys[0], b.shape(inputs[0]!))],
    bytes: free,
    evaluate: ([x], _attrs, [out]) => [broadcastTo(x!, out!.shape)],
  },
  slice: {
    infer: (inputs, attrs, declared) => {
      arity(inputs, 1);
      const { dtype, shape } = inputs[0]!;
      const out = declaredOne(declared).shape;
      checkRegion(shape, integers(attrs, 'starts'), integers(attrs, 'steps'), out);
      return [{ dtype, shape: out }];
    },
    vjp: ({ b, inputs, attrs, dys }) => {
      if (dys[0] == null) return [null];
      const shape = b.shape(inputs[0]!);
      const starts = integers(attrs, 'starts');
      const sizes = b.shape(dys[0]);
      if (integers(attrs, 'steps').every((step, i) => step === 1 || sizes[i] === 1))
        return [
          b.pad(
            dys[0],
            starts,
            shape.map((size, i) => size - starts[i]! - sizes[i]!),
          ),
        ];
      const zeros = b.full(0, { dtype: b.type(dys[0]).dtype, shape });
      return [b.one('slice_scatter', [zeros, dys[0]], { starts, steps: integers(attrs, 'steps') })];
    },
    bytes: free,
    evaluate: ([x], attrs, [out]) => {
      const at = region(x!.shape, integers(attrs, 'starts'), integers(attrs, 'steps'), out!.shape);
      return [take(x!, out!.shape, at)];
    },
  },
  cat: {
    infer: (inputs, attrs) => {
      arity(inputs, 1, Infinity);
      const { dtype, shape } = inputs[0]!;
      const dim = dimOf(attrs, shape.length);
      let size = 0;
      for (const input of inputs) {
        const fits =
          input.shape.length === shape.length && input.shape.every((n, i) => i === dim || n === shape[i]);
        if (!fits || input.dtype !== dtype)
          throw new GraphError(
            `parts ${dtype} ${show(shape)} and ${input.dtype} ${show(input.shape)} do not join along dim ${dim}`,
          );
        size += input.shape[dim]!;
      }
      return [{ dtype, shape: shape.map((n, i) => (i === dim ? size : n)) }];
    },
    vjp: ({ b, inputs, attrs, dys, wants }) => {
      let start = 0;
      const dim = dimOf(attrs, b.shape(inputs[0]!).length);
      return inputs.map((input, i) => {
        const size = b.shape(input)[dim]!;
        const gradient = dys[0] == null || !wants(i) ? null : b.narrow(dys[0], dim, start, size);
        start += size;
        return gradient;
      });
    },
    evaluate: (inputs, attrs, [out]) => {
      const result = array(out!.shape);
      const dim = dimOf(attrs, out!.shape.length);
      let start = 0;
      for (const x of inputs) {
        const starts = out!.shape.map((_, i) => (i === dim ? start : 0));
        const at = region(
          out!.shape,
          starts,
          starts.map(() => 1),
          x.shape,
        );
        at.forEach((position, i) => (result.data[position] = x.data[i]!));
        start += x.shape[dim]!;
      }
      return [result];
    },
  },
  pad: {
    infer: (inputs, attrs) => {
      arity(inputs, 1);
      const { dtype, shape } = inputs[0]!;
      const [low, high] = [integers(attrs, 'low'), integers(attrs, 'high')];
      if (low.length !== shape.length || high.length !== shape.length || [...low, ...high].some((n) => n < 0))
        throw new GraphError(`low and high should be ${shape.length} sizes >= 0 each`);
      return [{ dtype, shape: shape.map((n, i) => n + low[i]! + high[i]!) }];
    },
    vjp: ({ b, inputs, attrs, dys }) => [
      dys[0] == null ? null : b.slice(dys[0], integers(attrs, 'low'), b.shape(inputs[0]!)),
    ],
    evaluate: ([x], attrs, [out]) => {
      const result = array(out!.shape);
      result.data.fill(number(attrs, 'value', 0));
      const low = integers(attrs, 'low');
      const at = region(
        out!.shape,
        low,
        low.map(() => 1),
        x!.shape,
      );
      at.forEach((position, i) => (result.data[position] = x!.data[i]!));
      return [result];
    },
  },
  slice_scatter: {
    infer: (inputs, attrs) => {
      arity(inputs, 2);
      const [base, src] = inputs as [TensorType, TensorType];
      if (base.dtype !== src.dtype) throw new GraphError(`base is ${base.dtype} and src is ${src.dtype}`);
      checkRegion(base.shape, integers(attrs, 'starts'), integers(attrs, 'steps'), src.shape);
      return [base];
    },
    vjp: ({ b, inputs, attrs, dys, wants }) => {
      const dy = dys[0];
      if (dy == null) return [null, null];
      const shape = b.shape(inputs[1]!);
      const zeros = b.full(0, { dtype: b.type(dy).dtype, shape });
      return [
        wants(0) ? b.one('slice_scatter', [dy, zeros], attrs) : null,
        wants(1) ? b.slice(dy, integers(attrs, 'starts'), shape, integers(attrs, 'steps')) : null,
      ];
    },
    evaluate: ([base, src], attrs) => {
      const result = array(base!.shape, base!.data.slice());
      const at = region(base!.shape, integers(attrs, 'starts'), integers(attrs, 'steps'), src!.shape);
      at.forEach((position, i) => (result.data[position] = src!.data[i]!));
      return [result];
    },
  },
  tril: triangle(false),
  triu: triangle(true),
};
