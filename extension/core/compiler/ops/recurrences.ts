/** RWKV-6 and RWKV-7 state recurrences, from the definitions in VOCABULARY.md, token by token. */
import type { Attrs, TensorType } from '../graph.js';
import { WKV_CHUNK } from '../program.js';
import { sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, type NdArray, type Row } from './operation.js';
import { scanVjp } from './scan.js';

interface Sizes {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  /** Key channels and value channels. */
  readonly n: number;
  readonly p: number;
}

function sizesOf({ shape }: { shape: readonly number[] }, v: { shape: readonly number[] }): Sizes {
  if (shape.length !== 4) throw new GraphError(`r should be [B, T, H, N] and is ${show(shape)}`);
  const [batch, tokens, heads, n] = shape as [number, number, number, number];
  return { batch, tokens, heads, n, p: v.shape[3]! };
}

/** One (batch, head): reads of tensors [B, T, H, N] are `x.data[at(t) + i]`, of [B, T, H, P] `x.data[of(t) + j]`. */
interface Head extends Sizes {
  readonly index: number;
  readonly at: (t: number) => number;
  readonly of: (t: number) => number;
  readonly head: number;
}

function* headsOf(s: Sizes): Generator<Head> {
  for (let b = 0; b < s.batch; b++)
    for (let h = 0; h < s.heads; h++) {
      const row = (t: number): number => (b * s.tokens + t) * s.heads + h;
      yield { ...s, index: b * s.heads + h, head: h, at: (t) => row(t) * s.n, of: (t) => row(t) * s.p };
    }
}

/** States before each token and after the last, of one head. */
type Trajectory = readonly Float64Array[];

interface Kind {
  readonly name: string;
  /** Inputs before the state, and how many of them are [B, T, H, N]. */
  readonly inputs: number;
  readonly sequences: number;
  /** Which input is v. */
  readonly values: number;
  readonly stateShape: (sizes: Sizes) => number[];
  readonly step: (x: readonly NdArray[], head: Head, t: number, state: Float64Array) => Float64Array;
  readonly read: (
    x: readonly NdArray[],
    head: Head,
    t: number,
    before: Float64Array,
    after: Float64Array,
  ) => Float64Array;
  /** Adds to `dx`; changes the gradient of the state after token t into that of the state before it. */
  readonly back: (
    x: readonly NdArray[],
    dx: readonly NdArray[],
    dy: NdArray,
    head: Head,
    t: number,
    before: Float64Array,
    after: Float64Array,
    dstate: Float64Array,
  ) => Float64Array;
  /** Per token and head, forward. */
  readonly flops: (n: number, p: number) => number;
}

function trajectory(kind: Kind, x: readonly NdArray[], head: Head, initial: NdArray | undefined): Trajectory {
  const size = head.n * head.p;
  const start = initial
    ? initial.data.slice(head.index * size, (head.index + 1) * size)
    : new Float64Array(size);
  const states: Float64Array[] = [start];
  for (let t = 0; t < head.tokens; t++) states.push(kind.step(x, head, t, states[t]!));
  return states;
}

/** S[key, value]. y_t = r_t (diag(u) k_t^T v_t + S), then S = diag(exp(logw_t)) S + k_t^T v_t. */
const WKV6: Kind = {
  name: 'wkv6',
  inputs: 5,
  sequences: 4,
  values: 2,
  stateShape: ({ batch, heads, n }) => [batch, heads, n, n],
  step: ([, k, v, w], { n, at }, t, state) => {
    const next = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        next[i * n + j] =
          Math.exp(w!.data[at(t) + i]!) * state[i * n + j]! + k!.data[at(t) + i]! * v!.data[at(t) + j]!;
    return next;
  },
  read: ([r, k, v, , u], { n, at, head }, t, before) => {
    const y = new Float64Array(n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const now = u!.data[head * n + i]! * k!.data[at(t) + i]! * v!.data[at(t) + j]!;
        y[j]! += r!.data[at(t) + i]! * (now + before[i * n + j]!);
      }
    return y;
  },
  back: ([r, k, v, w, u], [dr, dk, dv, dw, du], dy, { n, at, head }, t, before, _after, dstate) => {
    const result = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const [ri, ki, ui, decay] = [
          r!.data[at(t) + i]!,
          k!.data[at(t) + i]!,
          u!.data[head * n + i]!,
          Math.exp(w!.data[at(t) + i]!),
        ];
        const [vj, g] = [v!.data[at(t) + j]!, dy.data[at(t) + j]!];
        const s = before[i * n + j]!;
        const ds = dstate[i * n + j]!;
        dr!.data[at(t) + i]! += g * (ui * ki * vj + s);
        du!.data[head * n + i]! += g * ri * ki * vj;
        dk!.data[at(t) + i]! += g * ri * ui * vj + ds * vj;
        dv!.data[at(t) + j]! += g * ri * ui * ki + ds * ki;
        dw!.data[at(t) + i]! += ds * decay * s;
        result[i * n + j] = ds * decay + g * ri;
      }
    return result;
  },
  flops: (n) => 6 * n * n,
};

/** S[value, key]. S = S (diag(exp(logw_t)) + a_t^T b_t) + v_t^T k_t, then y_t = S r_t. */
const WKV7: Kind = {
  name: 'wkv7',
  inputs: 6,
  sequences: 6,
  values: 3,
  stateShape: ({ batch, heads, n, p }) => [batch, heads, p, n],
  step: ([, w, k, v, a, b], { n, p, at, of }, t, state) => {
    const next = new Float64Array(p * n);
    for (let i = 0; i < p; i++) {
      let sa = 0;
      for (let j = 0; j < n; j++) sa += state[i * n + j]! * a!.data[at(t) + j]!;
      for (let j = 0; j < n; j++)
        next[i * n + j] =
          state[i * n + j]! * Math.exp(w!.data[at(t) + j]!) +
          sa * b!.data[at(t) + j]! +
          v!.data[of(t) + i]! * k!.data[at(t) + j]!;
    }
    return next;
  },
  read: ([r], { n, p, at }, t, _before, after) => {
    const y = new Float64Array(p);
    for (let i = 0; i < p; i++) for (let j = 0; j < n; j++) y[i]! += after[i * n + j]! * r!.data[at(t) + j]!;
    return y;
  },
  back: ([r, w, k, v, a, b], [dr, dw, dk, dv, da, db], dy, { n, p, at, of }, t, before, after, dstate) => {
    const result = new Float64Array(p * n);
    for (let i = 0; i < p; i++) {
      const g = dy.data[of(t) + i]!;
      let sa = 0;
      let dsa = 0;
      for (let j = 0; j < n; j++) {
        dr!.data[at(t) + j]! += g * after[i * n + j]!;
        dstate[i * n + j]! += g * r!.data[at(t) + j]!;
        sa += before[i * n + j]! * a!.data[at(t) + j]!;
        dsa += dstate[i * n + j]! * b!.data[at(t) + j]!;
      }
      for (let j = 0; j < n; j++) {
        const ds = dstate[i * n + j]!;
        const s = before[i * n + j]!;
        const decay = Math.exp(w!.data[at(t) + j]!);
        dw!.data[at(t) + j]! += ds * s * decay;
        dk!.data[at(t) + j]! += ds * v!.data[of(t) + i]!;
        dv!.data[of(t) + i]! += ds * k!.data[at(t) + j]!;
        db!.data[at(t) + j]! += ds * sa;
        da!.data[at(t) + j]! += dsa * s;
        result[i * n + j] = ds * decay + dsa * a!.data[at(t) + j]!;
      }
    }
    return result;
  },
  flops: (n, p) => 9 * n * p,
};

function inferForward(kind: Kind, inputs: readonly TensorType[], attrs: Attrs): TensorType[] {
  arity(inputs, kind.inputs, kind.inputs + 1);
  const { shape } = inputs[0]!;
  const v = inputs[kind.values]!;
  const s = sizesOf(inputs[0]!, v);
  const values = kind === WKV7 ? [s.batch, s.tokens, s.heads, s.p] : shape;
  inputs.slice(0, kind.sequences).forEach((x) => {
    if (!sameShape(x.shape, x === v ? values : shape))
      throw new GraphError(`inputs ${show(shape)} and ${show(x.shape)} differ`);
  });
  if (kind.sequences < kind.inputs && !sameShape(inputs[4]!.shape, [s.heads, s.n]))
    throw new GraphError(`u is ${show(inputs[4]!.shape)}, not [${s.heads}, ${s.n}]`);
  const state = inputs[kind.inputs];
  if (state && !sameShape(state.shape, kind.stateShape(s)))
    throw new GraphError(`the state is ${show(state.shape)}, not ${show(kind.stateShape(s))}`);
  const saved = f32([s.batch, s.heads, Math.ceil(s.tokens / WKV_CHUNK), s.n, s.p]);
  const out = [f32(values), f32(kind.stateShape(s))];
  return flag(attrs, 'save') ? [...out, saved] : out;
}

const flopsOf = (kind: Kind, r: TensorType, v: TensorType): number => {
  const { batch, tokens, heads, n, p } = sizesOf(r, v);
  return batch * tokens * heads * kind.flops(n, p);
};

function rowsOf(kind: Kind): Record<string, Row> {
  const forward: Row = {
    infer: (inputs, attrs) => inferForward(kind, inputs, attrs),
    saves: true,
    vjp: (context) => scanVjp(`${kind.name}_grad`, kind.inputs, context, { takesState: true }),
    flops: (inputs) => flopsOf(kind, inputs[0]!, inputs[kind.values]!),
    evaluate: (inputs, _attrs, outputs) => {
      const s = sizesOf(inputs[0]!, inputs[kind.values]!);
      const [y, final, saved] = outputs.map((type) => array(type.shape)) as [NdArray, NdArray, NdArray?];
      const size = s.n * s.p;
      for (const head of headsOf(s)) {
        const states = trajectory(kind, inputs, head, inputs[kind.inputs]);
        for (let t = 0; t < s.tokens; t++)
          y.data.set(kind.read(inputs, head, t, states[t]!, states[t + 1]!), head.of(t));
        final.data.set(states[s.tokens]!, head.index * size);
        const chunks = Math.ceil(s.tokens / WKV_CHUNK);
        if (saved)
          for (let c = 0; c < chunks; c++)
            saved.data.set(states[c * WKV_CHUNK]!, (head.index * chunks + c) * size);
      }
      return saved ? [y, final, saved] : [y, final];
    },
  };
  const gradient: Row = {
    infer: (inputs, attrs) => {
      const given = kind.inputs + 2 + Number(flag(attrs, 'stateIn')) + Number(flag(attrs, 'stateOut'));
      arity(inputs, given);
      const s = sizesOf(inputs[1]!, inputs[1 + kind.values]!);
      const out = inputs.slice(1, 1 + kind.inputs).map((x) => f32(x.shape));
      return flag(attrs, 'stateIn') ? [...out, f32(kind.stateShape(s))] : out;
    },
    flops: (inputs) => 2 * flopsOf(kind, inputs[1]!, inputs[1 + kind.values]!),
    /** Reads the chunk states it was given, so that they are tested too. */
    evaluate: (all, attrs, outputs) => {
      const dy = all[0]!;
      const inputs = all.slice(1, 1 + kind.inputs);
      const saved = all[1 + kind.inputs]!;
      const dfinal = flag(attrs, 'stateOut') ? all.at(-1) : undefined;
      const s = sizesOf(inputs[0]!, inputs[kind.values]!);
      const size = s.n * s.p;
      const chunks = Math.ceil(s.tokens / WKV_CHUNK);
      const results = outputs.map((type) => array(type.shape));
      for (const head of headsOf(s)) {
        let dstate: Float64Array = dfinal
          ? dfinal.data.slice(head.index * size, (head.index + 1) * size)
          : new Float64Array(size);
        for (let c = chunks - 1; c >= 0; c--) {
          const first = c * WKV_CHUNK;
          const last = Math.min(s.tokens, first + WKV_CHUNK);
          const start = (head.index * chunks + c) * size;
          const states: Float64Array[] = [saved.data.slice(start, start + size)];
          for (let t = first; t < last; t++) states.push(kind.step(inputs, head, t, states[t - first]!));
          for (let t = last - 1; t >= first; t--)
            dstate = kind.back(
              inputs,
              results,
              dy,
              head,
              t,
              states[t - first]!,
              states[t - first + 1]!,
              dstate,
            );
        }
        if (flag(attrs, 'stateIn')) results[kind.inputs]!.data.set(dstate, head.index * size);
      }
      return results;
    },
  };
  return { [kind.name]: forward, [`${kind.name}_grad`]: gradient };
}

export const recurrenceRows: Record<string, Row> = { ...rowsOf(WKV6), ...rowsOf(WKV7) };
