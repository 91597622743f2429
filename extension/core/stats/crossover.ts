/** Where two curves cross: interpolation in log-log space, an interval from resampling, and when not to claim anything. */
import { median, quantile, ratioOfMedians, resample } from './estimate.js';

/** Samples of both curves at one place of the axis; lower is better. */
export interface CurvePoint {
  /** Context, tokens or seconds; above 0. */
  readonly x: number;
  readonly a: readonly number[];
  readonly b: readonly number[];
  /** Largest ratio (above 1) that the A/A control reaches here; left out: there is no control. */
  readonly noise?: number;
}

/** Who is better at one point: `none` is "no difference", `unsure` "can't tell". */
export type Verdict = 'a' | 'b' | 'none' | 'unsure';

/**
 * A difference in step time that would matter to whoever chooses an architecture: 10%. Where the noise is larger than
 * this, such a difference could hide in it, and "no difference" would claim more than was measured.
 */
export const PRACTICAL = 1.1;

/** Why it cannot be told somewhere: noise as a ratio above 1, and whether the A/A control or the pair itself shows it. */
export interface Doubt {
  readonly places: readonly number[];
  readonly reach: number;
  readonly control: boolean;
}

export type Crossing =
  | {
      readonly kind: 'crossing';
      readonly before: 'a' | 'b';
      readonly at: number;
      readonly interval: readonly [number, number];
    }
  | {
      readonly kind: 'always';
      readonly better: 'a' | 'b';
      /** Places of no difference. */
      readonly undecided: readonly number[];
      readonly doubt: Doubt | null;
    }
  | { readonly kind: 'equal' }
  | { readonly kind: 'noisy'; readonly doubt: Doubt }
  | { readonly kind: 'unclear' };

/**
 * Which of two series is lower. It is undecided when the interval of their ratio holds 1, or when the ratio is inside
 * the noise that the same model shows against itself: `none` where a difference above `practical` is excluded,
 * `unsure` where one could hide.
 * @param noise largest ratio (above 1) that the A/A control's interval reaches; 1 when there is no control.
 * @param practical smallest ratio (above 1) that matters; `Infinity`: whatever is undecided is no difference.
 */
export function verdict(
  a: readonly number[],
  b: readonly number[],
  noise = 1,
  practical = Infinity,
): Verdict {
  const { ratio, interval } = ratioOfMedians(a, b);
  const apart = interval[0] > 1 || interval[1] < 1;
  if (apart && Math.max(ratio, 1 / ratio) > noise) return ratio < 1 ? 'a' : 'b';
  return Math.max(noise, reachOf(interval)) > practical ? 'unsure' : 'none';
}

/** How far an interval of a ratio reaches from 1, as a ratio above 1; 1 where it is not a number. */
export function reachOf(interval: readonly [number, number]): number {
  return Math.max(1, ...[interval[1], 1 / interval[0]].filter(Number.isFinite));
}

/**
 * Decides whether, and where, curve `a` and curve `b` cross. Points in any order.
 * @param practical as for {@link verdict}.
 */
export function crossing(points: readonly CurvePoint[], practical = Infinity): Crossing {
  const sorted = [...points].sort((p, q) => p.x - q.x);
  const verdicts = sorted.map(({ a, b, noise }) => verdict(a, b, noise, practical));
  const decided = verdicts.flatMap((who, index) => (who === 'a' || who === 'b' ? [{ who, index }] : []));
  const doubt = doubtOf(
    sorted.filter((_, index) => verdicts[index] === 'unsure'),
    practical,
  );
  const first = decided[0];
  if (first === undefined) return doubt === null ? { kind: 'equal' } : { kind: 'noisy', doubt };
  const changes = decided.slice(1).filter(({ who }, i) => who !== decided[i]!.who);
  if (changes.length === 0) {
    const undecided = sorted.filter((_, index) => verdicts[index] === 'none').map(({ x }) => x);
    return { kind: 'always', better: first.who, undecided, doubt };
  }
  if (changes.length > 1) return { kind: 'unclear' };
  const end = decided.findIndex(({ who }) => who !== first.who);
  const bracket = sorted.slice(decided[end - 1]!.index, decided[end]!.index + 1);
  const at = intersection(bracket);
  if (at === null) return { kind: 'unclear' };
  return { kind: 'crossing', before: first.who, at, interval: intervalOf(bracket, at) };
}

/** The largest noise at places that could not be told: the control's where it alone is too large. */
function doubtOf(unsure: readonly CurvePoint[], practical: number): Doubt | null {
  if (unsure.length === 0) return null;
  const largest = Math.max(...unsure.map(({ noise }) => noise ?? 1));
  const control = largest > practical;
  const reach = control
    ? largest
    : Math.max(...unsure.map(({ a, b }) => reachOf(ratioOfMedians(a, b).interval)));
  return { places: unsure.map(({ x }) => x), reach, control };
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
