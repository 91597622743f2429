/** Layer, RMS and group normalisation, and their gradients from the saved statistics. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, ValueId } from '../graph.js';
import { elementCount, range, sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, number, without, type NdArray, type Row } from './operation.js';

/** Rows of `n` elements; affine parameter of element `i` of row `r` is number `parameter(r, i)`. */
interface Rows {
  readonly count: number;
  readonly n: number;
  readonly parameter: (row: number, i: number) => number;
}

function trailing(
  shape: readonly number[],
  attrs: Attrs,
): { outer: readonly number[]; inner: readonly number[] } {
  const dims = number(attrs, 'dims');
  if (dims < 1 || dims > shape.length)
    throw new GraphError(`cannot normalise the last ${dims} dims of ${show(shape)}`);
  return { outer: shape.slice(0, shape.length - dims), inner: shape.slice(shape.length - dims) };
}

function trailingRows(shape: readonly number[], attrs: Attrs): Rows {
  const n = elementCount(trailing(shape, attrs).inner);
  return { count: elementCount(shape) / n, n, parameter: (_row, i) => i };
}

function groupRows(shape: readonly number[], attrs: Attrs): Rows {
  const groups = number(attrs, 'groups');
  const [samples, channels] = shape as [number, number];
  const per = elementCount(shape.slice(2));
  const n = (channels / groups) * per;
  return {
    count: samples * groups,
    n,
    parameter: (row, i) => (row % groups) * (channels / groups) + Math.floor(i / per),
  };
}

/** Forward pass: y, mean, rstd. With `centre` false the mean is taken as 0 (RMS norm). */
function normalise(
  x: NdArray,
  rows: Rows,
  eps: number,
  centre: boolean,
  weight?: NdArray,
  bias?: NdArray,
): Float64Array[] {
  const y = new Float64Array(x.data.length);
  const means = new Float64Array(rows.count);
  const rstds = new Float64Array(rows.count);
  for (let r = 0; r < rows.count; r++) {
    const line = x.data.subarray(r * rows.n, (r + 1) * rows.n);
    const mean = centre ? line.reduce((a, b) => a + b, 0) / rows.n : 0;
    const variance = line.reduce((a, b) => a + (b - mean) ** 2, 0) / rows.n;
    const rstd = 1 / Math.sqrt(variance + eps);
    means[r] = mean;
    rstds[r] = rstd;
    line.forEach((value, i) => {
      const p = rows.parameter(r, i);
      y[r * rows.n + i] = (value - mean) * rstd * (weight?.data[p] ?? 1) + (bias?.data[p] ?? 0);
    });
  }
  return [y, means, rstds];
}

/** Backward pass: dx, dweight, dbias. dx = rstd (g - mean(g) - h mean(g h)), g = dy w, h = (x - mean) rstd. */
function normaliseGradient(
  dy: NdArray,
  x: NdArray,
  rows: Rows,
  mean: NdArray | null,
  rstd: NdArray,
  weight: NdArray | undefined,
  parameters: number,
): Float64Array[] {
  const dx = new Float64Array(x.data.length);
  const dweight = new Float64Array(parameters);
  const dbias = new Float64Array(parameters);
  for (let r = 0; r < rows.count; r++) {
    const scale = rstd.data[r]!;
    const g = (i: number): number => dy.data[r * rows.n + i]! * (weight?.data[rows.parameter(r, i)] ?? 1);
    const h = (i: number): number => (x.data[r * rows.n + i]! - (mean?.data[r] ?? 0)) * scale;
    let meanG = 0;
    let meanGh = 0;
    for (let i = 0; i < rows.n; i++) {
      meanG += g(i) / rows.n;
      meanGh += (g(i) * h(i)) / rows.n;
      dweight[rows.parameter(r, i)]! += dy.data[r * rows.n + i]! * h(i);
      dbias[rows.parameter(r, i)]! += dy.data[r * rows.n + i]!;
    }
    for (let i = 0; i < rows.n; i++) dx[r * rows.n + i] = scale * (g(i) - (mean ? meanG : 0) - h(i) * meanGh);
  }
  return [dx, dweight, dbias];
}

interface Kind {
  readonly name: string;
  readonly centre: boolean;
  /** Most inputs: x, weight, bias. */
  readonly most: number;
  readonly rows: (shape: readonly number[], attrs: Attrs) => Rows;
  /** Shape of weight and bias, and of the statistics. */
  readonly shapes: (
    shape: readonly number[],
    attrs: Attrs,
  ) => { parameter: readonly number[]; statistics: readonly number[] };
}

function forward(kind: Kind, decompose?: Row['decompose']): Row {
  return {
    infer: (inputs, attrs) => {
      arity(inputs, 1, kind.most);
      const { parameter, statistics } = kind.shapes(inputs[0]!.shape, attrs);
      for (const input of inputs.slice(1))
        if (!sameShape(input.shape, parameter))
          throw new GraphError(
            `weight and bias should be ${show(parameter)} and one is ${show(input.shape)}`,
          );
      const saved = kind.centre ? [f32(statistics), f32(statistics)] : [f32(statistics)];
      return flag(attrs, 'save') ? [inputs[0]!, ...saved] : [inputs[0]!];
    },
    saves: true,
    ...(decompose && { decompose }),
    vjp: ({ b, inputs, outputs, attrs, dys }) => {
      if (dys[0] == null) return [null, null, null];
      const rest = without(attrs, 'save', 'eps');
      const given = kind.centre ? { ...rest, bias: inputs.length > 2 } : rest;
      return b.emit(
        `${kind.name}_grad`,
        [dys[0], inputs[0]!, ...outputs.slice(1), ...inputs.slice(1, 2)],
        given,
      );
    },
    flops: ([x, weight, bias]) =>
      ((kind.centre ? 5 : 3) + (weight ? 1 : 0) + (bias ? 1 : 0)) * elementCount(x!.shape),
    evaluate: ([x, weight, bias], attrs, outputs) => {
      const all = normalise(x!, kind.rows(x!.shape, attrs), number(attrs, 'eps'), kind.centre, weight, bias);
      const kept = kind.centre ? all : [all[0]!, all[2]!];
      return outputs.map((type, i) => array(type.shape, kept[i]));
    },
  };
}

function gradient(kind: Kind): Row {
  const statistics = kind.centre ? 2 : 1;
  return {
    infer: (inputs, attrs) => {
      arity(inputs, 2 + statistics, 3 + statistics);
      const x = inputs[1]!;
      const { parameter } = kind.shapes(x.shape, attrs);
      const hasWeight = inputs.length > 2 + statistics;
      return [
        f32(x.shape),
        ...(hasWeight ? [f32(parameter)] : []),
        ...(flag(attrs, 'bias') ? [f32(parameter)] : []),
      ];
    },
    flops: ([dy]) => 9 * elementCount(dy!.shape),
    evaluate: (inputs, attrs, outputs) => {
      const [dy, x] = inputs as [NdArray, NdArray];
      const rstd = inputs[1 + statistics]!;
      const weight = inputs[2 + statistics];
      const parameters = elementCount(kind.shapes(x.shape, attrs).parameter);
      const rows = kind.rows(x.shape, attrs);
      const [dx, dweight, dbias] = normaliseGradient(
        dy,
        x,
        rows,
        kind.centre ? inputs[2]! : null,
        rstd,
        weight,
        parameters,
      );
      const kept = [dx!, ...(weight ? [dweight!] : []), ...(flag(attrs, 'bias') ? [dbias!] : [])];
      return outputs.map((type, i) => array(type.shape, kept[i]));
    },
  };
}

const trailingShapes: Kind['shapes'] = (shape, attrs) => {
  const { outer, inner } = trailing(shape, attrs);
  return { parameter: inner, statistics: outer };
};

const LAYER: Kind = { name: 'layer_norm', centre: true, most: 3, rows: trailingRows, shapes: trailingShapes };
const RMS: Kind = { name: 'rms_norm', centre: false, most: 2, rows: trailingRows, shapes: trailingShapes };
const GROUP: Kind = {
  name: 'group_norm',
  centre: true,
  most: 3,
  rows: groupRows,
  shapes: (shape, attrs) => {
    const groups = number(attrs, 'groups');
    if (shape.length < 2 || shape[1]! % groups !== 0)
      throw new GraphError(`cannot split ${show(shape)} into ${groups} groups`);
    return { parameter: [shape[1]!], statistics: [shape[0]!, groups] };
  },
};

/** With positions after the channels: normalise rows of channels x positions, then apply weight and bias per channel. */
function flattenGroups(b: GraphBuilder, inputs: readonly ValueId[], attrs: Attrs): readonly ValueId[] | null {
  const [x, weight, bias] = inputs as [ValueId, ValueId?, ValueId?];
  const shape = b.shape(x);
  if (shape.length === 2) return null;
  const [samples, channels] = shape as [number, number];
  const flat = b.reshape(x, [samples, elementCount(shape.slice(1))]);
  let y = b.reshape(b.one('group_norm', [flat], attrs), shape);
  const perChannel = (value: ValueId): ValueId =>
    b.reshape(value, [channels, ...range(2, shape.length).map(() => 1)]);
  if (weight !== undefined) y = b.mul(y, perChannel(weight));
  if (bias !== undefined) y = b.add(y, perChannel(bias));
  return [y];
}

export const normRows: Record<string, Row> = {
  layer_norm: forward(LAYER),
  layer_norm_grad: gradient(LAYER),
  rms_norm: forward(RMS),
  rms_norm_grad: gradient(RMS),
  group_norm: forward(GROUP, flattenGroups),
  group_norm_grad: gradient(GROUP),
};
