/** Causal convolution of every channel by itself over the last few tokens, from its definition in VOCABULARY.md. */
import type { TensorType } from '../graph.js';
import { elementCount, sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, type NdArray, type Row } from './operation.js';

/** What the kernel takes; longer ones are convolved tap by tap. */
export const SHORT_CONV_TAPS = { least: 2, most: 8 } as const;

interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly C: number;
  /** Taps. */
  readonly K: number;
}

/** Throws unless x, w, and where given bias and state, fit together. */
function check(
  x: TensorType,
  w: TensorType,
  bias: TensorType | undefined,
  state: TensorType | undefined,
): Sizes {
  if (x.shape.length !== 3) throw new GraphError(`x should be [B, T, C] and is ${show(x.shape)}`);
  const [B, T, C] = x.shape as [number, number, number];
  if (w.shape.length !== 2 || w.shape[0] !== C)
    throw new GraphError(`w should be [${C}, taps] and is ${show(w.shape)}`);
  const K = w.shape[1]!;
  if (K < SHORT_CONV_TAPS.least || K > SHORT_CONV_TAPS.most)
    throw new GraphError(`takes ${SHORT_CONV_TAPS.least} to ${SHORT_CONV_TAPS.most} taps, not ${K}`);
  if (bias && !sameShape(bias.shape, [C]))
    throw new GraphError(`the bias is ${show(bias.shape)}, not [${C}]`);
  if (state && !sameShape(state.shape, [B, K - 1, C]))
    throw new GraphError(`the state is ${show(state.shape)}, not [${B}, ${K - 1}, ${C}]`);
  return { B, T, C, K };
}

const sizesOf = (x: NdArray, w: NdArray): Sizes => {
  const [B, T, C] = x.shape as [number, number, number];
  return { B, T, C, K: w.shape[1]! };
};

/** Where every row of the state followed by x lies: its array (none: zeros), and its first place there. */
function rowsOf(
  { T, C, K }: Sizes,
  state: Float64Array | undefined,
  x: Float64Array,
): (batch: number, row: number) => { readonly data: Float64Array | undefined; readonly first: number } {
  return (batch, row) =>
    row < K - 1
      ? { data: state, first: (batch * (K - 1) + row) * C }
      : { data: x, first: (batch * T + row - K + 1) * C };
}

const shortConv: Row = {
  infer: (inputs) => {
    arity(inputs, 3, 4);
    const [x, w, bias, state] = inputs as [TensorType, TensorType, TensorType, TensorType?];
    const { B, C, K } = check(x, w, bias, state);
    return [f32(x.shape), f32([B, K - 1, C])];
  },
  vjp: ({ b, inputs, outputs, dys: [dyGiven, dstate] }) => {
    if (dyGiven == null && dstate == null) return inputs.map(() => null);
    const [x, w, , ...state] = inputs;
    const given = [dyGiven ?? b.zerosLike(outputs[0]!), x!, w!, ...state];
    return [
      ...b.emit('short_conv_grad', dstate == null ? given : [...given, dstate], {
        stateIn: state.length > 0,
        stateOut: dstate != null,
      }),
    ];
  },
  flops: ([x, w]) => 2 * elementCount(x!.shape) * w!.shape[1]!,
  evaluate: ([x, w, bias, state], _attrs, outputs) => {
    const sizes = sizesOf(x!, w!);
    const { B, T, C, K } = sizes;
    const [y, final] = outputs.map((type) => array(type.shape)) as [NdArray, NdArray?];
    const place = rowsOf(sizes, state?.data, x!.data);
    for (let batch = 0; batch < B; batch++) {
      for (let t = 0; t < T; t++)
        for (let c = 0; c < C; c++) {
          let total = bias!.data[c]!;
          for (let j = 0; j < K; j++) {
            const { data, first } = place(batch, t + j);
            total += w!.data[c * K + j]! * (data?.[first + c] ?? 0);
          }
          y.data[(batch * T + t) * C + c] = total;
        }
      for (let row = 0; final && row < K - 1; row++)
        for (let c = 0; c < C; c++) {
          const { data, first } = place(batch, T + row);
          final.data[(batch * (K - 1) + row) * C + c] = data?.[first + c] ?? 0;
        }
    }
    return [y, final].filter((result) => result !== undefined);
  },
};

const shortConvGrad: Row = {
  infer: (inputs, attrs) => {
    const stateIn = flag(attrs, 'stateIn');
    arity(inputs, 3 + Number(stateIn) + Number(flag(attrs, 'stateOut')));
    const [, x, w, state] = inputs as [TensorType, TensorType, TensorType, TensorType?];
    const { B, C, K } = check(x, w, undefined, stateIn ? state : undefined);
    const out = [f32(x.shape), f32(w.shape), f32([C])];
    return stateIn ? [...out, f32([B, K - 1, C])] : out;
  },
  flops: ([, x, w]) => 4 * elementCount(x!.shape) * w!.shape[1]!,
  evaluate: ([dy, x, w, ...rest], attrs, outputs) => {
    const sizes = sizesOf(x!, w!);
    const { B, T, C, K } = sizes;
    const state = flag(attrs, 'stateIn') ? rest[0] : undefined;
    const dfinal = flag(attrs, 'stateOut') ? rest.at(-1) : undefined;
    const results = outputs.map((type) => array(type.shape));
    const [dx, dw, dbias, dfirst] = results.map(({ data }) => data);
    const place = rowsOf(sizes, state?.data, x!.data);
    const gradient = rowsOf(sizes, dfirst, dx!);
    for (let batch = 0; batch < B; batch++) {
      for (let t = 0; t < T; t++)
        for (let c = 0; c < C; c++) {
          const g = dy!.data[(batch * T + t) * C + c]!;
          dbias![c]! += g;
          for (let j = 0; j < K; j++) {
            const [from, to] = [place(batch, t + j), gradient(batch, t + j)];
            dw![c * K + j]! += g * (from.data?.[from.first + c] ?? 0);
            if (to.data) to.data[to.first + c]! += g * w!.data[c * K + j]!;
          }
        }
      for (let row = 0; dfinal && row < K - 1; row++)
        for (let c = 0; c < C; c++) {
          const { data, first } = gradient(batch, T + row);
          if (data) data[first + c]! += dfinal.data[(batch * (K - 1) + row) * C + c]!;
        }
    }
    return results;
  },
};

export const shortConvRows: Record<string, Row> = {
  short_conv: shortConv,
  short_conv_grad: shortConvGrad,
};
