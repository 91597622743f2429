/** Mamba's selective scan (arXiv 2312.00752), from its definition in VOCABULARY.md, token by token in float64. */
import type { TensorType } from '../graph.js';
import { WKV_CHUNK } from '../program.js';
import { sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, f32, flag, GraphError, type NdArray, type Row } from './operation.js';
import { scanVjp } from './scan.js';

interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly D: number;
  readonly N: number;
}

/** One state number: places of its channel in x, of its inputs and outputs in B and C, of itself in states. */
interface Lane {
  readonly a: number;
  readonly x: (t: number) => number;
  readonly b: (t: number) => number;
  readonly state: number;
  readonly saved: (chunk: number) => number;
}

function* lanes({ B, T, D, N }: Sizes): Generator<Lane> {
  const chunks = Math.ceil(T / WKV_CHUNK);
  for (let batch = 0; batch < B; batch++)
    for (let d = 0; d < D; d++)
      for (let n = 0; n < N; n++)
        yield {
          a: d * N + n,
          x: (t) => (batch * T + t) * D + d,
          b: (t) => (batch * T + t) * N + n,
          state: (batch * D + d) * N + n,
          saved: (chunk) => ((batch * chunks + chunk) * N + n) * D + d,
        };
}

const sizesOf = (x: { shape: readonly number[] }, a: { shape: readonly number[] }): Sizes => {
  const [B, T, D] = x.shape as [number, number, number];
  return { B, T, D, N: a.shape[1]! };
};

/** Throws unless x, dt, A, B, C and the state fit together. */
function check(inputs: readonly TensorType[]): Sizes {
  const [x, dt, a, b, c, state] = inputs.map(({ shape }) => shape);
  if (x!.length !== 3) throw new GraphError(`x should be [B, T, D] and is ${show(x!)}`);
  if (!sameShape(x!, dt!)) throw new GraphError(`x ${show(x!)} and dt ${show(dt!)} differ`);
  const [B, T, D] = x as [number, number, number];
  if (a!.length !== 2 || a![0] !== D) throw new GraphError(`A should be [${D}, N] and is ${show(a!)}`);
  const N = a![1]!;
  for (const given of [b!, c!])
    if (!sameShape(given, [B, T, N]))
      throw new GraphError(`B and C should be [${B}, ${T}, ${N}]; one is ${show(given)}`);
  if (state && !sameShape(state, [B, D, N]))
    throw new GraphError(`the state is ${show(state)}, not [${B}, ${D}, ${N}]`);
  return { B, T, D, N };
}

const FLOPS = 9;

const flopsOf = (x: TensorType, a: TensorType): number => {
  const { B, T, D, N } = sizesOf(x, a);
  return FLOPS * B * T * D * N;
};

const selectiveScan: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 5, 6);
    const { B, T, D, N } = check(inputs);
    const out = [f32([B, T, D]), f32([B, D, N])];
    return flag(attrs, 'save') ? [...out, f32([B, Math.ceil(T / WKV_CHUNK), N, D])] : out;
  },
  saves: true,
  vjp: (context) => scanVjp('selective_scan_grad', 5, context),
  flops: ([x, , a]) => flopsOf(x!, a!),
  evaluate: ([x, dt, a, b, c, first], _attrs, outputs) => {
    const sizes = sizesOf(x!, a!);
    const [y, final, saved] = outputs.map((type) => array(type.shape)) as [NdArray, NdArray?, NdArray?];
    for (const lane of lanes(sizes)) {
      let h = first?.data[lane.state] ?? 0;
      for (let t = 0; t < sizes.T; t++) {
        if (saved && t % WKV_CHUNK === 0) saved.data[lane.saved(t / WKV_CHUNK)] = h;
        const step = dt!.data[lane.x(t)]!;
        h = Math.exp(step * a!.data[lane.a]!) * h + step * x!.data[lane.x(t)]! * b!.data[lane.b(t)]!;
        y.data[lane.x(t)]! += h * c!.data[lane.b(t)]!;
      }
      if (final) final.data[lane.state] = h;
    }
    return [y, final, saved].filter((result) => result !== undefined);
  },
};

const selectiveScanGrad: Row = {
  infer: (inputs, attrs) => {
    arity(inputs, 7 + Number(flag(attrs, 'stateOut')));
    const { B, D, N } = check(inputs.slice(1, 6));
    const out = inputs.slice(1, 6).map(({ shape }) => f32(shape));
    return flag(attrs, 'stateIn') ? [...out, f32([B, D, N])] : out;
  },
  flops: ([, x, , a]) => 2 * flopsOf(x!, a!),
  evaluate: ([dy, x, dt, a, b, c, saved, dfinal], _attrs, outputs) => {
    const sizes = sizesOf(x!, a!);
    const results = outputs.map((type) => array(type.shape));
    const [dx, ddt, da, db, dc, dfirst] = results.map(({ data }) => data);
    for (const lane of lanes(sizes)) {
      const power = a!.data[lane.a]!;
      let g = dfinal?.data[lane.state] ?? 0;
      for (let chunk = Math.ceil(sizes.T / WKV_CHUNK) - 1; chunk >= 0; chunk--) {
        const start = chunk * WKV_CHUNK;
        const last = Math.min(sizes.T, start + WKV_CHUNK);
        const states = [saved!.data[lane.saved(chunk)]!];
        for (let t = start; t < last; t++) {
          const step = dt!.data[lane.x(t)]!;
          const added = step * x!.data[lane.x(t)]! * b!.data[lane.b(t)]!;
          states.push(Math.exp(step * power) * states[t - start]! + added);
        }
        for (let t = last - 1; t >= start; t--) {
          const [i, j] = [lane.x(t), lane.b(t)];
          const [step, input, enter] = [dt!.data[i]!, x!.data[i]!, b!.data[j]!];
          g += dy!.data[i]! * c!.data[j]!;
          dc![j]! += dy!.data[i]! * states[t - start + 1]!;
          db![j]! += g * step * input;
          dx![i]! += g * step * enter;
          ddt![i]! += g * input * enter;
          g *= Math.exp(step * power);
          const byExponent = g * states[t - start]!;
          ddt![i]! += byExponent * power;
          da![lane.a]! += byExponent * step;
        }
      }
      if (dfirst) dfirst[lane.state] = g;
    }
    return results;
  },
};

export const selectiveScanRows: Record<string, Row> = {
  selective_scan: selectiveScan,
  selective_scan_grad: selectiveScanGrad,
};
