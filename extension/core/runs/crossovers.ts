/** Crossovers of a run: step and token time against context, held-out loss against training tokens and training seconds. */
import type {
  Control,
  Crossover,
  DecodePoint,
  Estimate,
  LossCurve,
  TimingPoint,
} from '../../shared/report.js';
import { crossing, type CurvePoint, PRACTICAL } from '../stats/crossover.js';
import { describeCrossing } from '../stats/sentences.js';

/** A time at a context. */
export interface TimePoint {
  readonly model: string;
  readonly context: number;
  readonly time: Estimate;
}

export const stepTime = ({ model, context, step }: TimingPoint): TimePoint => ({
  model,
  context,
  time: step,
});
export const tokenTime = ({ model, context, token }: DecodePoint): TimePoint => ({
  model,
  context,
  time: token,
});

/**
 * One crossover per pair of models, in the order the models were measured. The noise of a context is what its own A/A
 * control shows, which took turns with the same steps; where it has none, the largest of the others.
 * `among` says that there are other models than those of the points.
 */
export function timeCrossovers(
  axis: 'context' | 'decode',
  timing: readonly TimePoint[],
  control: readonly Control[],
  among?: boolean,
): Crossover[] {
  const noiseAt = (context: number): number => {
    const here = control.filter((one) => one.context === context);
    return 1 + Math.max(0, ...(here.length > 0 ? here : control).map(({ spread }) => spread));
  };
  const all = pairs(timing.map(({ model }) => model));
  return all.flatMap(([a, b]) => {
    const points = timing
      .filter(({ model }) => model === a)
      .flatMap((left): CurvePoint[] => {
        const right = timing.find(({ model, context }) => model === b && context === left.context);
        return right === undefined
          ? []
          : [
              {
                x: left.context,
                a: left.time.samples,
                b: right.time.samples,
                noise: noiseAt(left.context),
              },
            ];
      });
    if (points.length === 0) return [];
    return [
      describeCrossing(
        crossing(points, PRACTICAL),
        [a, b],
        axis,
        points.map(({ x }) => x),
        among ?? all.length > 1,
      ),
    ];
  });
}

/** Held-out loss over tokens, seconds and, where they are known, FLOPs; a seed is a sample. One seed cannot tell chance from a difference. */
export function lossCrossovers(curves: readonly LossCurve[], among?: boolean): Crossover[] {
  const all = pairs(curves.map(({ model }) => model));
  const others = among ?? all.length > 1;
  return all.flatMap(([a, b]) => {
    const of = (model: string): LossCurve[] =>
      curves
        .filter((curve) => curve.model === model && curve.heldOut.length > 0)
        .sort((p, q) => p.seed - q.seed);
    const [left, right] = [of(a), of(b)];
    if (left.length === 0 || right.length === 0) return [];
    return [
      describe(left, right, [a, b], 'tokens', byTokens(left, right), others),
      describe(
        left,
        right,
        [a, b],
        'seconds',
        byPlace(left, right, ({ seconds }) => seconds),
        others,
      ),
      describe(left, right, [a, b], 'flops', byPlace(left, right, flopsAt), others),
    ].filter((found) => found !== null);
  });
}

function describe(
  left: readonly LossCurve[],
  right: readonly LossCurve[],
  pair: readonly [string, string],
  axis: 'tokens' | 'seconds' | 'flops',
  points: readonly CurvePoint[],
  among: boolean,
): Crossover | null {
  if (points.length === 0) return null;
  const xs = points.map(({ x }) => x);
  const found = describeCrossing(crossing(points), pair, axis, xs, among);
  if (Math.min(left.length, right.length) > 1) return found;
  const sentence = `${found.sentence.slice(0, -1)}, on one seed: can't tell a difference from chance.`;
  return { ...found, interval: null, sentence };
}

/** Places both models were tested at after the same number of tokens, beyond the untrained start. */
function byTokens(left: readonly LossCurve[], right: readonly LossCurve[]): CurvePoint[] {
  const places = left[0]!.heldOut.map(({ tokens }) => tokens).filter((tokens) => tokens > 0);
  return places.flatMap((x) => {
    const at = (curves: readonly LossCurve[]): number[] =>
      curves.flatMap(({ heldOut }) => heldOut.find(({ tokens }) => tokens === x)?.loss ?? []);
    const [a, b] = [at(left), at(right)];
    return a.length === 0 || b.length === 0 ? [] : [{ x, a, b }];
  });
}

const PLACES = 12;

/** Where a held-out point stands on an axis that models reach at different paces. */
type PlaceOf = (point: LossCurve['heldOut'][number], curve: LossCurve) => number;

const flopsAt: PlaceOf = ({ tokens }, { flopsPerToken }) => (flopsPerToken ?? NaN) * tokens;

/** Losses at equal places of an axis, interpolated along each curve where all curves reach; none where a place is unknown. */
function byPlace(left: readonly LossCurve[], right: readonly LossCurve[], placeOf: PlaceOf): CurvePoint[] {
  const all = [...left, ...right];
  const places = all.map((curve) => curve.heldOut.map((point) => placeOf(point, curve)));
  const from = Math.max(...places.map((of) => of.find((place) => place > 0) ?? Infinity));
  const to = Math.min(...places.map((of) => of.at(-1)!));
  if (!(to > from)) return [];
  return Array.from({ length: PLACES }, (_, i) => {
    const x = from * (to / from) ** (i / (PLACES - 1));
    const at = (curve: LossCurve): number => lossAt(curve, x, placeOf);
    return { x, a: left.map(at), b: right.map(at) };
  });
}

function lossAt(curve: LossCurve, x: number, placeOf: PlaceOf): number {
  const { heldOut } = curve;
  const after = heldOut.findIndex((point) => placeOf(point, curve) >= x);
  if (after <= 0) return heldOut.at(after === 0 ? 0 : -1)!.loss;
  const [p, q] = [heldOut[after - 1]!, heldOut[after]!];
  const [from, to] = [placeOf(p, curve), placeOf(q, curve)];
  const share = to === from ? 1 : (x - from) / (to - from);
  return p.loss + (q.loss - p.loss) * share;
}

/** Unordered pairs of distinct names, first seen first. */
function pairs(names: readonly string[]): [string, string][] {
  const distinct = [...new Set(names)];
  return distinct.flatMap((a, i) => distinct.slice(i + 1).map((b): [string, string] => [a, b]));
}
