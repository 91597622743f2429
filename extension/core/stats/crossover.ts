/** Where two curves cross: interpolation in log-log space, an interval from resampling, and when not to claim anything. */
import { median, quantile, ratioOfMedians, resample } from './estimate.js';

/** Samples of both curves at one place of the axis; lower is better. */
export interface CurvePoint {
  /** Context, tokens or seconds; above 0. */
  readonly x: number;
  readonly a: readonly number[];
  readonly b: readonly number[];
}

/** Who is better at one point: `none` is "no difference". */
export type Verdict = 'a' | 'b' | 'none';

export type Crossing =
  | {
      readonly kind: 'crossing';
      readonly before: 'a' | 'b';
      readonly at: number;
      readonly interval: readonly [number, number];
    }
  | { readonly kind: 'always'; readonly better: 'a' | 'b'; readonly undecided: readonly number[] }
  | { readonly kind: 'equal' }
  | { readonly kind: 'unclear' };

/**
 * Which of two series is lower. It is `none` when the interval of their ratio holds 1, or when the ratio is inside the
 * noise that the same model shows against itself.
 * @param noise largest ratio (above 1) that the A/A control's interval reaches; 1 when there is no control.
 */
export function verdict(a: readonly number[], b: readonly number[], noise = 1): Verdict {
  const { ratio, interval } = ratioOfMedians(a, b);
  const apart = interval[0] > 1 || interval[1] < 1;
  if (!apart || !(Math.max(ratio, 1 / ratio) > noise)) return 'none';
  return ratio < 1 ? 'a' : 'b';
}

/** How far an A/A control reaches from 1, as a ratio above 1. */
export function noiseOf(controls: readonly { readonly interval: readonly [number, number] }[]): number {
  return Math.max(
    1,
    ...controls.flatMap(({ interval }) => [interval[1], 1 / interval[0]]).filter(Number.isFinite),
  );
}

/** Decides whether, and where, curve `a` and curve `b` cross. Points in any order. */
export function crossing(points: readonly CurvePoint[], noise = 1): Crossing {
  const sorted = [...points].sort((p, q) => p.x - q.x);
  const verdicts = sorted.map(({ a, b }) => verdict(a, b, noise));
  const decided = verdicts.flatMap((who, index) => (who === 'none' ? [] : [{ who, index }]));
  const first = decided[0];
  if (first === undefined) return { kind: 'equal' };
  const changes = decided.slice(1).filter(({ who }, i) => who !== decided[i]!.who);
  if (changes.length === 0) {
    const undecided = sorted.filter((_, index) => verdicts[index] === 'none').map(({ x }) => x);
    return { kind: 'always', better: first.who, undecided };
  }
  if (changes.length > 1) return { kind: 'unclear' };
  const end = decided.findIndex(({ who }) => who !== first.who);
  const bracket = sorted.slice(decided[end - 1]!.index, decided[end]!.index + 1);
  const at = intersection(bracket);
  if (at === null) return { kind: 'unclear' };
  return { kind: 'crossing', before: first.who, at, interval: intervalOf(bracket, at) };
}

/** Resamples every point by rounds and interpolates again. */
function intervalOf(bracket: readonly CurvePoint[], at: number): [number, number] {
  const size = Math.min(...bracket.map(({ a, b }) => Math.min(a.length, b.length)));
  if (size < 2) return [at, at];
  // One stream of draws; each point takes its own shift of it, so points vary independently.
  const draws = resample(
    size * bracket.length,
    (indexes) => {
      const drawn = bracket.map((point, place) => {
        const chosen = indexes.slice(place * size, (place + 1) * size).map((index) => index % size);
        return { x: point.x, a: chosen.map((i) => point.a[i]!), b: chosen.map((i) => point.b[i]!) };
      });
      return intersection(drawn) ?? NaN;
    },
    1000,
  ).filter((place) => !Number.isNaN(place));
  if (draws.length < 100) return [bracket[0]!.x, bracket.at(-1)!.x];
  return [Math.min(at, quantile(draws, 0.025)), Math.max(at, quantile(draws, 0.975))];
}

/**
 * Where log(a / b), linear in log x between points, is zero; the geometric middle of the first and the last zero when
 * noise makes several. `null` when it never changes sign.
 */
export function intersection(points: readonly CurvePoint[]): number | null {
  const curve = points.map(({ x, a, b }) => ({ x: Math.log(x), d: Math.log(median(a) / median(b)) }));
  const zeros: number[] = [];
  for (let i = 1; i < curve.length; i++) {
    const [p, q] = [curve[i - 1]!, curve[i]!];
    if (p.d === 0) zeros.push(p.x);
    else if (p.d * q.d < 0) zeros.push(p.x + ((q.x - p.x) * p.d) / (p.d - q.d));
  }
  if (curve.at(-1)?.d === 0) zeros.push(curve.at(-1)!.x);
  return zeros.length === 0 ? null : Math.exp((zeros[0]! + zeros.at(-1)!) / 2);
}
