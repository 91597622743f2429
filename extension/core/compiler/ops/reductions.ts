/** Reductions, scans and order statistics. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { contiguousStrides, elementCount, range, reducedShape } from '../shapes.js';
import { alongDim, array, positions } from './arrays.js';
import { arity, dimOf, dimsOf, flag, GraphError, number, type NdArray, type Row } from './operation.js';

const inferReduction: Row['infer'] = (inputs, attrs) => {
  arity(inputs, 1);
  const { dtype, shape } = inputs[0]!;
  return [{ dtype, shape: reducedShape(shape, dimsOf(attrs, shape.length), flag(attrs, 'keepdim')) }];
};

/** Folds `f` over the reduced dims. */
function fold(
  x: NdArray,
  dims: readonly number[],
  out: TensorType,
  start: number,
  f: (a: number, b: number) => number,
): NdArray {
  const result = array(out.shape);
  result.data.fill(start);
  const strides = contiguousStrides(reducedShape(x.shape, dims, true)).map((s, i) =>
    dims.includes(i) ? 0 : s,
  );
  positions(x.shape, strides).forEach((at, i) => (result.data[at] = f(result.data[at]!, x.data[i]!)));
  return result;
}

type ReductionGradient = (
  b: GraphBuilder,
  dy: ValueId,
  x: ValueId,
  y: ValueId,
  dims: readonly number[],
) => ValueId;

/** `gradient` receives dy and y with the reduced dims kept as size 1. */
function reduction(start: number, f: (a: number, b: number) => number, gradient: ReductionGradient): Row {
  return {
    infer: inferReduction,
    vjp: ({ b, inputs, outputs, attrs, dys }) => {
      if (dys[0] == null) return [null];
      const x = inputs[0]!;
      const dims = dimsOf(attrs, b.shape(x).length);
      return [
        gradient(b, b.unreduce(dys[0], b.shape(x), dims), x, b.unreduce(outputs[0]!, b.shape(x), dims), dims),
      ];
    },
    flops: ([x]) => elementCount(x!.shape),
    evaluate: ([x], attrs, [out]) => [fold(x!, dimsOf(attrs, x!.shape.length), out!, start, f)],
  };
}

/** Shares dy evenly among the elements equal to the extreme, as torch.amax. */
const shareAmongTies: ReductionGradient = (b, dy, x, y, dims) => {
  const hits = b.cast(b.one('eq', [x, y]), b.type(x).dtype);
  return b.mul(hits, b.div(dy, b.sum(hits, dims, true)));
};

/** Product of all the other elements, exact where there are zeros: exclusive products from both ends. */
const productOfOthers: ReductionGradient = (b, dy, x, _y, dims) => {
  const shape = b.shape(x);
  const kept = range(0, shape.length).filter((d) => !dims.includes(d));
  const order = [...kept, ...dims];
  const moved = b.permute(x, order);
  const size = elementCount(dims.map((d) => shape[d]!));
  const lines = b.reshape(moved, [...kept.map((d) => shape[d]!), size]);
  const dim = kept.length;
  const flip = (value: ValueId): ValueId => {
    const sizes = b.shape(value);
    return b.slice(
      value,
      sizes.map((n, i) => (i === dim ? n - 1 : 0)),
      sizes,
      sizes.map((_, i) => (i === dim ? -1 : 1)),
    );
  };
  const exclusive = (value: ValueId): ValueId => {
    const products = b.one('cumprod', [b.narrow(value, dim, 0, size - 1)], { dim });
    const zeros = b.shape(value).map(() => 0);
    return b.pad(products, zeros.with(dim, 1), zeros, 1);
  };
  const others =
    size === 1 ? b.full(1, b.type(lines)) : b.mul(exclusive(lines), flip(exclusive(flip(lines))));
  const back = b.permute(
    b.reshape(
      others,
      order.map((d) => shape[d]!),
    ),
    shape.map((_, i) => order.indexOf(i)),
  );
  return b.mul(back, dy);
};

const scan = (f: (total: number, x: number) => number, vjp: NonNullable<Row['vjp']>): Row => ({
  infer: (inputs, attrs) => {
    arity(inputs, 1);
    dimOf(attrs, inputs[0]!.shape.length);
    return [inputs[0]!];
  },
  vjp,
  flops: ([x]) => elementCount(x!.shape),
  evaluate: ([x], attrs) => {
    const dim = dimOf(attrs, x!.shape.length);
    const run = (line: Float64Array, out: Float64Array): void => {
      const order = flag(attrs, 'reverse') ? range(0, line.length).reverse() : range(0, line.length);
      let total: number | undefined;
      for (const i of order) {
        total = total === undefined ? line[i]! : f(total, line[i]!);
        out[i] = total;
      }
    };
    return [alongDim(x!, dim, x!.shape[dim] ?? 1, run)];
  },
});

/** Indexes of a line in order, stable. */
function ranking(line: Float64Array, descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  return range(0, line.length).sort((i, j) => sign * (line[i]! - line[j]!) || i - j);
}

const ordered = (count: (attrs: Attrs, size: number) => number, descending: string): Row => ({
  infer: (inputs, attrs) => {
    arity(inputs, 1);
    const { dtype, shape } = inputs[0]!;
    const dim = dimOf(attrs, shape.length);
    const k = count(attrs, shape[dim] ?? 1);
    if (k > (shape[dim] ?? 1)) throw new GraphError(`k is ${k} and dim ${dim} has ${shape[dim]} elements`);
    const out = shape.map((n, i) => (i === dim ? k : n));
    return [
      { dtype, shape: out },
      { dtype: 'i64', shape: out },
    ];
  },
  vjp: ({ b, inputs, outputs, attrs, dys }) => {
    if (dys[0] == null) return [null];
    const zeros = b.full(0, { dtype: b.type(dys[0]).dtype, shape: b.shape(inputs[0]!) });
    return [
      b.one('scatter_add', [zeros, outputs[1]!, dys[0]], { dim: dimOf(attrs, b.shape(inputs[0]!).length) }),
    ];
  },
  flops: ([x]) => elementCount(x!.shape),
  evaluate: ([x], attrs, [out]) => {
    const dim = dimOf(attrs, x!.shape.length);
    const k = out!.shape[dim] ?? 1;
    const pick = (value: (line: Float64Array, i: number) => number): NdArray =>
      alongDim(x!, dim, k, (line, to) => {
        ranking(line, flag(attrs, descending))
          .slice(0, k)
          .forEach((from, i) => (to[i] = value(line, from)));
      });
    return [pick((line, i) => line[i]!), pick((_line, i) => i)];
  },
});

const argument = (descending: boolean): Row => ({
  infer: (inputs, attrs) => {
    arity(inputs, 1);
    const { shape } = inputs[0]!;
    return [
      { dtype: 'i64', shape: reducedShape(shape, [dimOf(attrs, shape.length)], flag(attrs, 'keepdim')) },
    ];
  },
  flops: ([x]) => elementCount(x!.shape),
  evaluate: ([x], attrs, [out]) => {
    const first = alongDim(
      x!,
      dimOf(attrs, x!.shape.length),
      1,
      (line, to) => (to[0] = ranking(line, descending)[0]!),
    );
    return [array(out!.shape, first.data)];
  },
});

export const reductionRows: Record<string, Row> = {
  sum: reduction(
    0,
    (a, b) => a + b,
    (b, dy, x) => b.expand(dy, b.shape(x)),
  ),
  mean: {
    infer: inferReduction,
    decompose: (b, inputs, attrs, [out]) => {
      const count = elementCount(b.shape(inputs[0]!)) / Math.max(1, elementCount(out!.shape));
      return [b.scale(b.one('sum', inputs, attrs), 1 / count)];
    },
    flops: ([x]) => elementCount(x!.shape),
    evaluate: ([x], attrs, [out]) => {
      const total = fold(x!, dimsOf(attrs, x!.shape.length), out!, 0, (a, b) => a + b);
      const count = x!.data.length / total.data.length;
      return [
        array(
          total.shape,
          total.data.map((v) => v / count),
        ),
      ];
    },
  },
  amax: reduction(-Infinity, (a, b) => (Number.isNaN(b) ? b : Math.max(a, b)), shareAmongTies),
  amin: reduction(Infinity, (a, b) => (Number.isNaN(b) ? b : Math.min(a, b)), shareAmongTies),
  prod: reduction(1, (a, b) => a * b, productOfOthers),
  argmax: argument(true),
  argmin: argument(false),
  /** `reverse` (only passes write it): from the last element. */
  cumsum: scan(
    (a, b) => a + b,
    ({ b, attrs, dys }) => [
      dys[0] == null
        ? null
        : b.one('cumsum', [dys[0]], { dim: attrs['dim']!, reverse: !flag(attrs, 'reverse') }),
    ],
  ),
  /** Its gradient makes a matrix of n x n products per line, so that zeros are exact. */
  cumprod: scan(
    (a, b) => a * b,
    ({ b, inputs, attrs, dys }) => {
      const dy = dys[0];
      if (dy == null) return [null];
      const x = inputs[0]!;
      const { shape, dtype } = b.type(x);
      const dim = dimOf(attrs, shape.length);
      const n = shape[dim]!;
      const order = [...range(0, shape.length).filter((d) => d !== dim), dim];
      const back = shape.map((_, i) => order.indexOf(i));
      const lines = b.permute(x, order);
      const outer = b.shape(lines).slice(0, -1);
      const square = [...outer, n, n];
      const index = b.one('arange', [], { start: 0, step: 1 }, { dtype: 'i64', shape: [n] });
      const row = b.reshape(index, [n, 1]);
      const without = b.where(
        b.one('eq', [row, index]),
        b.scalar(1, dtype),
        b.reshape(lines, [...outer, 1, n]),
      );
      const products = b.one('cumprod', [without], { dim: square.length - 1 });
      const after = b.where(b.one('ge', [index, row]), products, b.scalar(0, dtype));
      const terms = b.mul(after, b.reshape(b.permute(dy, order), [...outer, 1, n]));
      return [b.permute(b.sum(terms, [square.length - 1]), back)];
    },
  ),
  topk: ordered((attrs) => number(attrs, 'k'), 'largest'),
  sort: {
    ...ordered((_attrs, size) => size, 'descending'),
    decompose: (b, inputs, attrs, [out]) => {
      const dim = dimOf(attrs, out!.shape.length);
      return b.emit('topk', inputs, { k: out!.shape[dim] ?? 1, dim, largest: flag(attrs, 'descending') });
    },
  },
};
