/**
 * Discrete Fourier transforms along the last dim, from their definition in VOCABULARY.md. `rfft` and `irfft` with the
 * same scale are transposes of each other when the weight of the inner bins of `rfft` is twice that of `irfft`.
 */
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { elementCount, show } from '../shapes.js';
import { array } from './arrays.js';
import {
  arity,
  f32,
  flag,
  GraphError,
  type NdArray,
  number,
  type Row,
  type VjpContext,
} from './operation.js';

/** The longest transform that the kernel takes. */
export const FOURIER_POINTS = 1 << 22;

/** Points of the transform. */
function pointsOf(attrs: Attrs): number {
  const n = number(attrs, 'n');
  if (!Number.isInteger(n) || n < 1 || n > FOURIER_POINTS)
    throw new GraphError(`takes 1 to ${FOURIER_POINTS} points, not ${n}`);
  return n;
}

const lastOf = (shape: readonly number[]): number => shape[shape.length - 1]!;

/** The shape of `x` with `length` elements along the last dim, where at most `most` are possible. */
function resized(x: TensorType, attrs: Attrs, given: number, possible: number): TensorType {
  if (x.shape.length === 0) throw new GraphError('takes tensors with one dim or more');
  if (lastOf(x.shape) > given) throw new GraphError(`has ${lastOf(x.shape)} elements of at most ${given}`);
  const length = number(attrs, 'length');
  if (!Number.isInteger(length) || length < 0 || length > possible)
    throw new GraphError(`makes up to ${possible} elements, not ${length}`);
  return f32([...x.shape.slice(0, -1), length]);
}

function sameShapes(inputs: readonly TensorType[]): TensorType {
  const [re, im] = inputs as [TensorType, TensorType?];
  if (im && show(re.shape) !== show(im.shape))
    throw new GraphError(`has a real part ${show(re.shape)} and an imaginary part ${show(im.shape)}`);
  return re;
}

/** 5 n log2 n of a complex transform (Frigo and Johnson, Proc. IEEE 93, 2005, section 4), half for a real one. */
const flops =
  (share: number) =>
  ([x]: readonly TensorType[], attrs: Attrs): number => {
    const n = number(attrs, 'n');
    const rows = lastOf(x!.shape) === 0 ? 0 : elementCount(x!.shape) / lastOf(x!.shape);
    return rows * share * n * Math.log2(Math.max(n, 2));
  };

/** cos and sin of 2 pi i / n for every i. */
function circle(n: number): { readonly cos: Float64Array; readonly sin: Float64Array } {
  const angles = Float64Array.from({ length: n }, (_, i) => (2 * Math.PI * i) / n);
  return { cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
}

/** Calls visit(bin, point, cos, sin) for every pair, and `row` ahead of every row. */
function forPairs(
  rows: number,
  bins: number,
  points: number,
  n: number,
  visit: (bin: number, point: number, cos: number, sin: number, k: number) => void,
): void {
  const { cos, sin } = circle(n);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < bins; k++)
      for (let j = 0; j < points; j++)
        visit(row * bins + k, row * points + j, cos[(k * j) % n]!, sin[(k * j) % n]!, k);
}

/** The weight of a bin of a real transform: 1 where it stands for itself, at 0 and n / 2. */
const weightOf = (attrs: Attrs, n: number): ((k: number) => number) => {
  const interior = number(attrs, 'interior', 1);
  return (k) => (k === 0 || 2 * k === n ? 1 : interior);
};

const rowsOf = ({ shape }: NdArray): number => shape.slice(0, -1).reduce((count, size) => count * size, 1);

/** Gradients of both outputs, zeros where nobody reads one; `null` where nobody reads either. */
function bothGradients({ b, outputs, dys: [re, im] }: VjpContext): readonly [ValueId, ValueId] | null {
  if (re == null && im == null) return null;
  return [re ?? b.zerosLike(outputs[0]!), im ?? b.zerosLike(outputs[1]!)];
}

const fft: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 1, 2);
    const n = pointsOf(attrs);
    const out = resized(sameShapes(inputs), attrs, n, n);
    return [out, out];
  },
  vjp: (context) => {
    const { b, inputs, attrs } = context;
    const given = bothGradients(context);
    if (!given) return inputs.map(() => null);
    const [re, im] = context.dys[1] == null ? given.slice(0, 1) : given;
    const length = lastOf(b.shape(inputs[0]!));
    return b
      .emit('fft', im === undefined ? [re] : [re, im], {
        ...attrs,
        inverse: !flag(attrs, 'inverse'),
        length,
      })
      .slice(0, inputs.length);
  },
  flops: flops(5),
  evaluate: ([re, im], attrs, outputs) => {
    const n = number(attrs, 'n');
    const scale = number(attrs, 'scale', 1);
    const sign = flag(attrs, 'inverse') ? 1 : -1;
    const [outRe, outIm] = outputs.map(({ shape }) => array(shape)) as [NdArray, NdArray];
    const [bins, points] = [lastOf(outRe.shape), lastOf(re!.shape)];
    forPairs(rowsOf(re!), bins, points, n, (bin, point, cos, sin) => {
      const [x, y] = [re!.data[point]! * scale, (im?.data[point] ?? 0) * scale];
      outRe.data[bin]! += x * cos - sign * y * sin;
      outIm.data[bin]! += y * cos + sign * x * sin;
    });
    return [outRe, outIm];
  },
};

const rfft: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 1);
    const n = pointsOf(attrs);
    const out = resized(inputs[0]!, attrs, n, Math.floor(n / 2) + 1);
    return [out, out];
  },
  vjp: (context) => {
    const { b, inputs, attrs } = context;
    const given = bothGradients(context);
    if (!given) return [null];
    const interior = number(attrs, 'interior', 1) / 2;
    return b.emit('irfft', given, { ...attrs, interior, length: lastOf(b.shape(inputs[0]!)) });
  },
  flops: flops(2.5),
  evaluate: ([x], attrs, outputs) => {
    const n = number(attrs, 'n');
    const scale = number(attrs, 'scale', 1);
    const weight = weightOf(attrs, n);
    const [re, im] = outputs.map(({ shape }) => array(shape)) as [NdArray, NdArray];
    forPairs(rowsOf(x!), lastOf(re.shape), lastOf(x!.shape), n, (bin, point, cos, sin, k) => {
      const value = x!.data[point]! * scale * weight(k);
      re.data[bin]! += value * cos;
      if (k > 0 && 2 * k !== n) im.data[bin]! -= value * sin;
    });
    return [re, im];
  },
};

const irfft: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 2);
    const n = pointsOf(attrs);
    return [resized(sameShapes(inputs), attrs, Math.floor(n / 2) + 1, n)];
  },
  vjp: ({ b, inputs, attrs, dys: [dy] }) => {
    if (dy == null) return [null, null];
    const interior = 2 * number(attrs, 'interior', 1);
    return b.emit('rfft', [dy], { ...attrs, interior, length: lastOf(b.shape(inputs[0]!)) });
  },
  flops: flops(2.5),
  evaluate: ([re, im], attrs, outputs) => {
    const n = number(attrs, 'n');
    const scale = number(attrs, 'scale', 1);
    const weight = weightOf(attrs, n);
    const out = array(outputs[0]!.shape);
    forPairs(rowsOf(re!), lastOf(re!.shape), lastOf(out.shape), n, (bin, point, cos, sin, k) => {
      const alone = k === 0 || 2 * k === n;
      const both = re!.data[bin]! * cos - (alone ? 0 : im!.data[bin]! * sin);
      out.data[point]! += both * scale * weight(k) * (alone ? 1 : 2);
    });
    return [out];
  },
};

export const fourierRows: Record<string, Row> = { fft, rfft, irfft };
