/** LSTM (Hochreiter and Schmidhuber 1997, with forget gates), from its definition in VOCABULARY.md, in float64. */
import type { TensorType } from '../graph.js';
import { sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, type NdArray, type Row } from './operation.js';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** B, T, H; throws unless gates, weight and the first state fit together. */
function check(inputs: readonly TensorType[]): [number, number, number] {
  const [gates, weight, ...states] = inputs.map(({ shape }) => shape);
  const H = weight!.length === 2 ? weight![1]! : 0;
  if (!sameShape(weight!, [4 * H, H]))
    throw new GraphError(`weight should be [4H, H] and is ${show(weight!)}`);
  if (gates!.length !== 3 || gates![2] !== 4 * H)
    throw new GraphError(`gates should be [B, T, ${4 * H}] and are ${show(gates!)}`);
  const [B, T] = gates as [number, number, number];
  for (const state of states)
    if (!sameShape(state, [B, H])) throw new GraphError(`a state is ${show(state)}, not [${B}, ${H}]`);
  return [B, T, H];
}

const productFlops = ([B, T, H]: readonly number[]): number => 8 * B! * T! * H! * H!;

const lstm: Row = {
  infer: (inputs, attrs) => {
    if (inputs.length !== 4) arity(inputs, 2);
    const [B, T, H] = check(inputs);
    const out = [f32([B, T, H]), f32([B, H])];
    return flag(attrs, 'save') ? [...out, f32([B, T, 4 * H]), f32([B, T, H])] : out;
  },
  saves: true,
  vjp: ({ b, inputs, outputs, dys: [dyGiven, dcell], wants }) => {
    if (dyGiven == null && dcell == null) return inputs.map(() => null);
    const [y, , active, cells] = outputs;
    const dy = dyGiven ?? b.zerosLike(y!);
    const [, weight, h0, c0] = inputs;
    const given = [dy, weight!, active!, cells!, ...(c0 === undefined ? [] : [c0])];
    const attrs = { stateIn: c0 !== undefined, stateOut: dcell != null };
    const [dgates, ...dstates] = b.emit('lstm_grad', dcell == null ? given : [...given, dcell], attrs);
    if (!wants(1)) return [dgates!, null, ...dstates];
    // dweight = dgates^T h_{t-1}, over all tokens at once.
    const [B, T, H] = b.shape(y!) as [number, number, number];
    const first = h0 === undefined ? b.full(0, f32([B, 1, H])) : b.reshape(h0, [B, 1, H]);
    const before = T === 1 ? first : b.cat([first, b.narrow(y!, 1, 0, T - 1)], 1);
    const left = b.transpose(b.reshape(dgates!, [B * T, 4 * H]));
    return [dgates!, b.matmul(left, b.reshape(before, [B * T, H])), ...dstates];
  },
  flops: (inputs) => {
    const sizes = check(inputs);
    return productFlops(sizes) + 13 * sizes[0] * sizes[1] * sizes[2];
  },
  evaluate: ([gates, weight, h0, c0], _attrs, outputs) => {
    const [B, T, H4] = gates!.shape as [number, number, number];
    const H = H4 / 4;
    const results = outputs.map((type) => array(type.shape));
    const [y, final, active, cells] = results as [NdArray, NdArray?, NdArray?, NdArray?];
    for (let b = 0; b < B; b++) {
      let h = h0 ? h0.data.slice(b * H, (b + 1) * H) : new Float64Array(H);
      const c = c0 ? c0.data.slice(b * H, (b + 1) * H) : new Float64Array(H);
      for (let t = 0; t < T; t++) {
        const at = b * T + t;
        const gate = Float64Array.from({ length: H4 }, (_, row) => {
          let sum = gates!.data[at * H4 + row]!;
          for (let j = 0; j < H; j++) sum += weight!.data[row * H + j]! * h[j]!;
          return Math.floor(row / H) === 2 ? Math.tanh(sum) : sigmoid(sum);
        });
        h = new Float64Array(H);
        for (let i = 0; i < H; i++) {
          const cell = gate[H + i]! * c[i]! + gate[i]! * gate[2 * H + i]!;
          c[i] = cell;
          h[i] = gate[3 * H + i]! * Math.tanh(cell);
        }
        y.data.set(h, at * H);
        active?.data.set(gate, at * H4);
        cells?.data.set(c, at * H);
      }
      final?.data.set(c, b * H);
    }
    return results;
  },
};

const lstmGrad: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 4 + Number(flag(attrs, 'stateIn')) + Number(flag(attrs, 'stateOut')));
    const [B, , H] = inputs[0]!.shape as [number, number, number];
    const out = [f32(inputs[2]!.shape)];
    return flag(attrs, 'stateIn') ? [...out, f32([B, H]), f32([B, H])] : out;
  },
  flops: ([dy]) => productFlops(dy!.shape) + 25 * dy!.shape[0]! * dy!.shape[1]! * dy!.shape[2]!,
  evaluate: ([dy, weight, active, cells, ...states], attrs, outputs) => {
    const [B, T, H] = dy!.shape as [number, number, number];
    const c0 = flag(attrs, 'stateIn') ? states[0] : undefined;
    const dfinal = flag(attrs, 'stateOut') ? states.at(-1) : undefined;
    const results = outputs.map((type) => array(type.shape));
    const [dgates, dh0, dc0] = results as [NdArray, NdArray?, NdArray?];
    for (let b = 0; b < B; b++) {
      const dc = dfinal ? dfinal.data.slice(b * H, (b + 1) * H) : new Float64Array(H);
      let dh = new Float64Array(H);
      for (let t = T - 1; t >= 0; t--) {
        const at = b * T + t;
        const later = new Float64Array(H);
        for (let i = 0; i < H; i++) {
          const [enter, forget, content, leave] = [0, 1, 2, 3].map(
            (g) => active!.data[(at * 4 + g) * H + i]!,
          );
          const before = t > 0 ? cells!.data[(at - 1) * H + i]! : (c0?.data[b * H + i] ?? 0);
          const out = Math.tanh(cells!.data[at * H + i]!);
          const g = dh[i]! + dy!.data[at * H + i]!;
          const byCell = dc[i]! + g * leave! * (1 - out * out);
          const slopes = [
            byCell * content! * enter! * (1 - enter!),
            byCell * before * forget! * (1 - forget!),
            byCell * enter! * (1 - content! * content!),
            g * out * leave! * (1 - leave!),
          ];
          slopes.forEach((slope, gate) => {
            dgates.data[(at * 4 + gate) * H + i] = slope;
            for (let j = 0; j < H; j++) later[j]! += slope * weight!.data[(gate * H + i) * H + j]!;
          });
          dc[i] = byCell * forget!;
        }
        dh = later;
      }
      dh0?.data.set(dh, b * H);
      dc0?.data.set(dc, b * H);
    }
    return results;
  },
};

export const lstmRows: Record<string, Row> = { lstm, lstm_grad: lstmGrad };
