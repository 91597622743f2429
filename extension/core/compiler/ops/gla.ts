/** Gated linear attention, from its definition in VOCABULARY.md, token by token. */
import type { Attrs, TensorType } from '../graph.js';
import { GLA_CHUNK } from '../program.js';
import { elementCount, sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, number, type NdArray, type Row } from './operation.js';
import { scanVjp } from './scan.js';

interface Sizes {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  /** Heads of q and k, which divide the heads of v. */
  readonly keyHeads: number;
  readonly keySize: number;
  readonly valueSize: number;
  /** Log decays per head: one, or one per key channel. */
  readonly decays: number;
}

type Shape = readonly number[];

/** Sizes of inputs q, k, v, logw; throws one sentence when they do not fit together. */
function sizesOf([q, k, v, logw]: readonly TensorType[]): Sizes {
  const [keys, values, decay] = [q!.shape, v!.shape, logw!.shape];
  if (keys.length !== 4 || values.length !== 4)
    throw new GraphError(
      `q and v should be [B, T, G, N] and [B, T, H, P] and are ${show(keys)} and ${show(values)}`,
    );
  if (!sameShape(keys, k!.shape)) throw new GraphError(`q ${show(keys)} and k ${show(k!.shape)} differ`);
  const [batch, tokens, keyHeads, keySize] = keys as [number, number, number, number];
  const [heads, valueSize] = values.slice(2) as [number, number];
  if (values[0] !== batch || values[1] !== tokens || heads % keyHeads !== 0)
    throw new GraphError(`v ${show(values)} does not fit q ${show(keys)}`);
  const decays = decay[3] ?? 0;
  if (!sameShape(decay, [batch, tokens, heads, decays]) || (decays !== 1 && decays !== keySize))
    throw new GraphError(`logw is ${show(decay)}, not [${batch}, ${tokens}, ${heads}, 1 or ${keySize}]`);
  return { batch, tokens, heads, keyHeads, keySize, valueSize, decays };
}

const stateShape = ({ batch, heads, keySize, valueSize }: Sizes): Shape => [batch, heads, keySize, valueSize];
const chunksOf = ({ tokens }: Sizes): number => Math.ceil(tokens / GLA_CHUNK);

/** Multiply-adds with the state: one to make it and one to read it, besides its decay. */
const flops = ([, , v]: readonly TensorType[], keySize: number): number =>
  5 * elementCount(v!.shape) * keySize;

/** Where one head's rows of token t start in q and k, in v, and in logw. */
interface Place {
  readonly key: number;
  readonly value: number;
  readonly decay: number;
}

function placeOf(s: Sizes, unit: number, t: number): Place {
  const head = unit % s.heads;
  const row = Math.floor(unit / s.heads) * s.tokens + t;
  const keyHead = Math.floor(head / (s.heads / s.keyHeads));
  return {
    key: (row * s.keyHeads + keyHead) * s.keySize,
    value: (row * s.heads + head) * s.valueSize,
    decay: (row * s.heads + head) * s.decays,
  };
}

/** exp of the log decay of key channel i. */
function decayOf(s: Sizes, logw: NdArray, place: Place, i: number): number {
  return Math.exp(logw.data[place.decay + (s.decays === 1 ? 0 : i)]!);
}

/** The state after token t. */
function step(
  s: Sizes,
  [, k, v, logw]: readonly NdArray[],
  unit: number,
  t: number,
  state: Float64Array,
): Float64Array {
  const place = placeOf(s, unit, t);
  return state.map((value, at) => {
    const i = Math.floor(at / s.valueSize);
    const added = k!.data[place.key + i]! * v!.data[place.value + (at % s.valueSize)]!;
    return decayOf(s, logw!, place, i) * value + added;
  });
}

function evaluate(inputs: readonly NdArray[], attrs: Attrs, outputs: readonly TensorType[]): NdArray[] {
  const s = sizesOf(inputs.map(({ shape }) => f32(shape)));
  const size = s.keySize * s.valueSize;
  const scale = number(attrs, 'scale');
  const [y, final, saved] = outputs.map((type) => array(type.shape)) as [NdArray, NdArray, NdArray?];
  for (let unit = 0; unit < s.batch * s.heads; unit++) {
    let state: Float64Array = inputs[4]?.data.slice(unit * size, (unit + 1) * size) ?? new Float64Array(size);
    for (let t = 0; t < s.tokens; t++) {
      if (t % GLA_CHUNK === 0) saved?.data.set(state, (unit * chunksOf(s) + t / GLA_CHUNK) * size);
      state = step(s, inputs, unit, t, state);
      const place = placeOf(s, unit, t);
      state.forEach((value, at) => {
        const q = inputs[0]!.data[place.key + Math.floor(at / s.valueSize)]!;
        y.data[place.value + (at % s.valueSize)]! += scale * q * value;
      });
    }
    final.data.set(state, unit * size);
  }
  return saved ? [y, final, saved] : [y, final];
}

/** Adds token t's share to the gradients; gives the gradient of the state before it from that of the one after. */
function stepBack(
  s: Sizes,
  [q, k, v, logw]: readonly NdArray[],
  [dq, dk, dv, dlogw]: readonly NdArray[],
  dy: NdArray,
  scale: number,
  place: Place,
  before: Float64Array,
  after: Float64Array,
  dstate: Float64Array,
): Float64Array {
  return dstate.map((incoming, at) => {
    const i = Math.floor(at / s.valueSize);
    const [key, value] = [place.key + i, place.value + (at % s.valueSize)];
    const w = decayOf(s, logw!, place, i);
    const ds = incoming + scale * q!.data[key]! * dy.data[value]!;
    dq!.data[key]! += scale * after[at]! * dy.data[value]!;
    dk!.data[key]! += ds * v!.data[value]!;
    dv!.data[value]! += ds * k!.data[key]!;
    dlogw!.data[place.decay + (s.decays === 1 ? 0 : i)]! += ds * w * before[at]!;
    return ds * w;
  });
}

/** Reads the chunk states it was given, so that they are tested too. */
function evaluateGrad(all: readonly NdArray[], attrs: Attrs, outputs: readonly TensorType[]): NdArray[] {
  const [dy, ...inputs] = all.slice(0, 5) as [NdArray, ...NdArray[]];
  const saved = all[5]!;
  const dfinal = flag(attrs, 'stateOut') ? all[6]! : undefined;
  const s = sizesOf(inputs.map(({ shape }) => f32(shape)));
  const size = s.keySize * s.valueSize;
  const results = outputs.map((type) => array(type.shape));
  for (let unit = 0; unit < s.batch * s.heads; unit++) {
    let dstate: Float64Array = dfinal?.data.slice(unit * size, (unit + 1) * size) ?? new Float64Array(size);
    for (let c = chunksOf(s) - 1; c >= 0; c--) {
      const start = (unit * chunksOf(s) + c) * size;
      const states: Float64Array[] = [saved.data.slice(start, start + size)];
      const first = c * GLA_CHUNK;
      const last = Math.min(s.tokens, first + GLA_CHUNK);
      for (let t = first; t < last; t++) states.push(step(s, inputs, unit, t, states[t - first]!));
      for (let t = last - 1; t >= first; t--)
        dstate = stepBack(
          s,
          inputs,
          results,
          dy,
          number(attrs, 'scale'),
          placeOf(s, unit, t),
          states[t - first]!,
          states[t - first + 1]!,
          dstate,
        );
    }
    if (flag(attrs, 'stateIn')) results[4]!.data.set(dstate, unit * size);
  }
  return results;
}

export const glaRows: Record<string, Row> = {
  gla: {
    infer: (inputs, attrs) => {
      arity(inputs, 4, 5);
      number(attrs, 'scale');
      const s = sizesOf(inputs);
      const state = stateShape(s);
      if (inputs[4] && !sameShape(inputs[4].shape, state))
        throw new GraphError(`the state is ${show(inputs[4].shape)}, not ${show(state)}`);
      const saved = f32([s.batch, s.heads, chunksOf(s), s.keySize, s.valueSize]);
      const out = [f32(inputs[2]!.shape), f32(state)];
      return flag(attrs, 'save') ? [...out, saved] : out;
    },
    saves: true,
    vjp: (context) => scanVjp('gla_grad', 4, context, { attrs: { scale: number(context.attrs, 'scale') } }),
    flops: (inputs) => flops(inputs, inputs[0]!.shape[3]!),
    evaluate,
  },
  gla_grad: {
    infer: (inputs, attrs) => {
      arity(inputs, 6 + Number(flag(attrs, 'stateOut')));
      const forward = inputs.slice(1, 5);
      const out = forward.map((x) => f32(x.shape));
      return flag(attrs, 'stateIn') ? [...out, f32(stateShape(sizesOf(forward)))] : out;
    },
    flops: (inputs) => 2 * flops(inputs.slice(1), inputs[1]!.shape[3]!),
    evaluate: evaluateGrad,
  },
};
