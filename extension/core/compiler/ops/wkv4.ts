/** RWKV-4's recurrence (arXiv 2305.13048), from its definition in VOCABULARY.md, token by token in float64. */
import type { TensorType } from '../graph.js';
import { WKV_CHUNK } from '../program.js';
import { elementCount, sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, type NdArray, type Row } from './operation.js';
import { scanVjp } from './scan.js';

/** Sums of weighted values and of weights, both over e^pp. */
type State = readonly [aa: number, bb: number, pp: number];

const START: State = [0, 0, -1e38];

/** Where one channel of one batch entry stands in k, v and y, in a state and in the saved states of chunks. */
interface Channel {
  readonly c: number;
  readonly at: (t: number) => number;
  readonly state: (row: number) => number;
  readonly saved: (chunk: number, row: number) => number;
}

function* channels(B: number, T: number, C: number): Generator<Channel> {
  const chunks = Math.ceil(T / WKV_CHUNK);
  for (let b = 0; b < B; b++)
    for (let c = 0; c < C; c++)
      yield {
        c,
        at: (t) => (b * T + t) * C + c,
        state: (row) => (b * 3 + row) * C + c,
        saved: (chunk, row) => ((b * chunks + chunk) * 3 + row) * C + c,
      };
}

const read = ({ data }: NdArray, place: (row: number) => number): State => [
  data[place(0)]!,
  data[place(1)]!,
  data[place(2)]!,
];
const write = ({ data }: NdArray, place: (row: number) => number, state: State): void =>
  state.forEach((value, row) => (data[place(row)] = value));

/** Weights of the two exponents over the larger one, and that one. */
function weigh(a: number, b: number): [number, number, number] {
  const q = Math.max(a, b);
  return [Math.exp(a - q), Math.exp(b - q), q];
}

function next([aa, bb, pp]: State, logw: number, k: number, v: number): State {
  const [kept, added, q] = weigh(pp + logw, k);
  return [kept * aa + added * v, kept * bb + added, q];
}

/** B, T, C of k; throws unless everything fits. */
function sizes(inputs: readonly TensorType[]): [number, number, number] {
  const [logw, u, k, v, state] = inputs.map(({ shape }) => shape);
  if (k!.length !== 3) throw new GraphError(`k should be [B, T, C] and is ${show(k!)}`);
  const [B, T, C] = k as [number, number, number];
  if (!sameShape(v!, k!)) throw new GraphError(`k ${show(k!)} and v ${show(v!)} differ`);
  for (const x of [logw!, u!])
    if (!sameShape(x, [C])) throw new GraphError(`logw and u should be [${C}]; one is ${show(x)}`);
  if (state && !sameShape(state, [B, 3, C]))
    throw new GraphError(`the state is ${show(state)}, not [${B}, 3, ${C}]`);
  return [B, T, C];
}

/** Two weighted means per token: four exponentials, and their sums. */
const FLOPS = 20;

const wkv4: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 4, 5);
    const [B, T, C] = sizes(inputs);
    const out = [f32([B, T, C]), f32([B, 3, C])];
    return flag(attrs, 'save') ? [...out, f32([B, Math.ceil(T / WKV_CHUNK), 3, C])] : out;
  },
  saves: true,
  vjp: (context) => scanVjp('wkv4_grad', 4, context),
  flops: ([, , k]) => FLOPS * elementCount(k!.shape),
  evaluate: ([logw, u, k, v, first], _attrs, outputs) => {
    const [B, T, C] = k!.shape as [number, number, number];
    const [y, final, saved] = outputs.map((type) => array(type.shape)) as [NdArray, NdArray?, NdArray?];
    for (const channel of channels(B, T, C)) {
      const [w, bonus] = [logw!.data[channel.c]!, u!.data[channel.c]!];
      let state = first ? read(first, channel.state) : START;
      for (let t = 0; t < T; t++) {
        if (saved && t % WKV_CHUNK === 0) write(saved, (row) => channel.saved(t / WKV_CHUNK, row), state);
        const [key, value] = [k!.data[channel.at(t)]!, v!.data[channel.at(t)]!];
        const [past, now] = weigh(state[2], bonus + key);
        y.data[channel.at(t)] = (past * state[0] + now * value) / (past * state[1] + now);
        state = next(state, w, key, value);
      }
      if (final) write(final, channel.state, state);
    }
    return [y, final, saved].filter((x) => x !== undefined);
  },
};

const wkv4Grad: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 6 + Number(flag(attrs, 'stateOut')));
    const [B, , C] = sizes(inputs.slice(1, 5));
    const out = inputs.slice(1, 5).map(({ shape }) => f32(shape));
    return flag(attrs, 'stateIn') ? [...out, f32([B, 3, C])] : out;
  },
  flops: ([dy]) => 2 * FLOPS * elementCount(dy!.shape),
  /** Straight through the stable recurrence; the larger exponent is a variable like any other. */
  evaluate: ([dy, logw, u, k, v, saved, dfinal], _attrs, outputs) => {
    const [B, T, C] = k!.shape as [number, number, number];
    const results = outputs.map((type) => array(type.shape));
    const [dlogw, du, dk, dv, dfirst] = results as [NdArray, NdArray, NdArray, NdArray, NdArray?];
    for (const channel of channels(B, T, C)) {
      const { c, at } = channel;
      const [w, bonus] = [logw!.data[c]!, u!.data[c]!];
      let [gaa, gbb, gpp] = dfinal ? read(dfinal, channel.state) : [0, 0, 0];
      for (let chunk = Math.ceil(T / WKV_CHUNK) - 1; chunk >= 0; chunk--) {
        const start = chunk * WKV_CHUNK;
        const states = [read(saved!, (row) => channel.saved(chunk, row))];
        const last = Math.min(T, start + WKV_CHUNK);
        for (let t = start; t < last; t++)
          states.push(next(states[t - start]!, w, k!.data[at(t)]!, v!.data[at(t)]!));
        for (let t = last - 1; t >= start; t--) {
          const [aa, bb, pp] = states[t - start]!;
          const [key, value] = [k!.data[at(t)]!, v!.data[at(t)]!];
          const [kept, added] = weigh(pp + w, key);
          const byKept = (gaa * aa + gbb * bb) * kept;
          const byAdded = (gaa * value + gbb) * added;
          const byLarger = gpp - byKept - byAdded;
          const keptIsLarger = pp + w >= key;
          const [past, now] = weigh(pp, bonus + key);
          const weight = past * bb + now;
          const y = (past * aa + now * value) / weight;
          const g = dy!.data[at(t)]! / weight;
          const byBonus = g * now * (value - y);
          dlogw.data[c]! += byKept + (keptIsLarger ? byLarger : 0);
          du.data[c]! += byBonus;
          dk.data[at(t)] = byAdded + (keptIsLarger ? 0 : byLarger) + byBonus;
          dv.data[at(t)] = gaa * added + g * now;
          gpp = byKept + (keptIsLarger ? byLarger : 0) + g * past * (aa - y * bb);
          gaa = gaa * kept + g * past;
          gbb = gbb * kept - g * y * past;
        }
      }
      if (dfirst) write(dfirst, channel.state, [gaa, gbb, gpp]);
    }
    return results;
  },
};

export const wkv4Rows: Record<string, Row> = { wkv4, wkv4_grad: wkv4Grad };
