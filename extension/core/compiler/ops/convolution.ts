/** One-dimensional convolution, which becomes `short_conv` or is taken apart into its taps; and dropout. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { elementCount, range, sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, flag, GraphError, number, type NdArray, type Row } from './operation.js';
import { SHORT_CONV_TAPS } from './shortConv.js';

interface Geometry {
  readonly stride: number;
  readonly padding: number;
  /** Zeros after the last position; below 0 so many positions are left out. */
  readonly end: number;
  readonly dilation: number;
  readonly groups: number;
}

function geometry(attrs: Attrs): Geometry {
  const padding = number(attrs, 'padding', 0);
  return {
    stride: number(attrs, 'stride', 1),
    padding,
    end: number(attrs, 'end', padding),
    dilation: number(attrs, 'dilation', 1),
    groups: number(attrs, 'groups', 1),
  };
}

/**
 * Every channel by itself, as y[l, o] = sum over taps t of w[o, t] x[l stride + t dilation, o]: models put channels last
 * around such a convolution, so that channels are what is contiguous.
 */
function depthwiseTaps(
  b: GraphBuilder,
  [x, w, bias]: readonly ValueId[],
  { stride, padding, end, dilation }: Geometry,
  length: number,
): ValueId {
  const [batch, channels] = b.shape(x!) as [number, number];
  const padded = b.pad(b.permute(x!, [0, 2, 1]), [0, padding, 0], [0, Math.max(0, end), 0]);
  const terms = range(0, b.shape(w!)[2]!).map((t) => {
    const part = b.slice(padded, [0, t * dilation, 0], [batch, length, channels], [1, stride, 1]);
    return b.mul(part, b.reshape(b.narrow(w!, 2, t, 1), [channels]));
  });
  const total = terms.reduce((sum, term) => b.add(sum, term));
  return b.permute(bias === undefined ? total : b.add(total, bias), [0, 2, 1]);
}

/**
 * Every channel by itself, none looking ahead, as `short_conv`: the zeros before the first position, or as many first
 * positions of x where it has none, are the rows before the first token. Undefined where the kernel does not fit.
 */
function causal(
  b: GraphBuilder,
  [x, w, bias]: readonly ValueId[],
  { stride, padding, end, dilation }: Geometry,
  length: number,
): ValueId | undefined {
  const [batch, channels, size] = b.shape(x!) as [number, number, number];
  const width = b.shape(w!)[2]!;
  if (stride !== 1 || dilation !== 1 || end > 0) return undefined;
  if (width < SHORT_CONV_TAPS.least || width > SHORT_CONV_TAPS.most) return undefined;
  if (padding !== 0 && padding !== width - 1) return undefined;
  const before = width - 1 - padding;
  if (before > size) return undefined;
  const rows = (first: number, count: number): ValueId =>
    b.permute(b.slice(x!, [0, 0, first], [batch, channels, count]), [0, 2, 1]);
  const inputs = [
    rows(before, length),
    b.reshape(w!, [channels, width]),
    bias ?? b.full(0, { dtype: 'f32', shape: [channels] }),
  ];
  if (before > 0) {
    const state = rows(0, before);
    if (b.uniform(state) !== 0) inputs.push(state);
  }
  return b.permute(b.emit('short_conv', inputs)[0]!, [0, 2, 1]);
}

/** y[o, l] = sum over taps t of w[:, :, t] x[:, l stride + t dilation]: per tap one product of every group. */
function taps(
  b: GraphBuilder,
  inputs: readonly ValueId[],
  attrs: Attrs,
  [out]: readonly TensorType[],
): ValueId[] {
  const [x, w, bias] = inputs;
  const shape = geometry(attrs);
  const { stride, padding, end, dilation, groups } = shape;
  const [batch] = b.shape(x!) as [number];
  const [outputs, perGroup, width] = b.shape(w!) as [number, number, number];
  const length = out!.shape[2]!;
  if (perGroup === 1 && outputs === groups)
    return [causal(b, inputs, shape, length) ?? depthwiseTaps(b, inputs, shape, length)];
  const padded = b.pad(x!, [0, 0, padding], [0, 0, Math.max(0, end)]);
  const terms = range(0, width).map((t) => {
    const part = b.slice(padded, [0, 0, t * dilation], [batch, groups * perGroup, length], [1, 1, stride]);
    const product = b.matmul(
      b.reshape(b.narrow(w!, 2, t, 1), [1, groups, outputs / groups, perGroup]),
      b.reshape(part, [batch, groups, perGroup, length]),
    );
    return b.reshape(product, out!.shape);
  });
  const total = terms.reduce((sum, term) => b.add(sum, term));
  return [bias === undefined ? total : b.add(total, b.reshape(bias, [outputs, 1]))];
}

export const convolutionRows: Record<string, Row> = {
  conv1d: {
    infer: (inputs, attrs) => {
      arity(inputs, 2, 3);
      const [x, w, bias] = inputs as [TensorType, TensorType, TensorType?];
      const { stride, padding, end, dilation, groups } = geometry(attrs);
      if (x.shape.length !== 3 || w.shape.length !== 3)
        throw new GraphError(
          `takes x [B, C, L] and w [O, C/groups, k], not ${show(x.shape)} and ${show(w.shape)}`,
        );
      const [batch, channels, length] = x.shape as [number, number, number];
      const [outputs, perGroup, width] = w.shape as [number, number, number];
      if (perGroup * groups !== channels || outputs % groups !== 0)
        throw new GraphError(`w ${show(w.shape)} does not fit ${channels} channels in ${groups} groups`);
      if (bias && !sameShape(bias.shape, [outputs]))
        throw new GraphError(`the bias is ${show(bias.shape)}, not [${outputs}]`);
      const size = Math.floor((length + padding + end - dilation * (width - 1) - 1) / stride) + 1;
      if (size < 1) throw new GraphError(`a kernel of ${width} taps does not fit into ${length} positions`);
      return [{ dtype: x.dtype, shape: [batch, outputs, size] }];
    },
    decompose: taps,
    flops: ([, w], _attrs, [out]) => 2 * elementCount(out!.shape) * elementCount(w!.shape.slice(1)),
    evaluate: ([x, w, bias], attrs, [out]) => {
      const { stride, padding, dilation, groups } = geometry(attrs);
      const [batch, outputs, length] = out!.shape as [number, number, number];
      const [, channels, size] = x!.shape as [number, number, number];
      const [, perGroup, width] = w!.shape as [number, number, number];
      const result = array(out!.shape);
      for (let n = 0; n < batch; n++)
        for (let o = 0; o < outputs; o++)
          for (let l = 0; l < length; l++) {
            let total = bias?.data[o] ?? 0;
            for (let c = 0; c < perGroup; c++)
              for (let t = 0; t < width; t++) {
                const at = l * stride + t * dilation - padding;
                const channel = Math.floor(o / (outputs / groups)) * perGroup + c;
                if (at >= 0 && at < size)
                  total +=
                    w!.data[(o * perGroup + c) * width + t]! * x!.data[(n * channels + channel) * size + at]!;
              }
            result.data[(n * outputs + o) * length + l] = total;
          }
      return [result];
    },
  },
  /** Keeps with probability 1 - p and scales by 1 / (1 - p). */
  dropout: {
    infer: (inputs, attrs) => {
      arity(inputs, 1);
      const p = number(attrs, 'p');
      if (!(p >= 0 && p <= 1)) throw new GraphError(`p is ${p}, not between 0 and 1`);
      return flag(attrs, 'save') ? [inputs[0]!, { dtype: 'bool', shape: inputs[0]!.shape }] : [inputs[0]!];
    },
    saves: true,
    effect: true,
    vjp: ({ b, outputs, attrs, dys }) => {
      if (dys[0] == null) return [null];
      const p = number(attrs, 'p');
      return [b.where(outputs[1]!, b.scale(dys[0], p < 1 ? 1 / (1 - p) : 0), b.scalarLike(0, dys[0]))];
    },
    flops: ([x]) => elementCount(x!.shape),
    evaluate: ([x], attrs, outputs, { random }) => {
      const p = number(attrs, 'p');
      const mask = x!.data.map(() => Number(random() >= p));
      const y: NdArray = array(
        x!.shape,
        x!.data.map((value, i) => (mask[i] ? value / (1 - p) : 0)),
      );
      return outputs.length > 1 ? [y, array(x!.shape, mask)] : [y];
    },
  },
};
