/** Medians and their 95% bootstrap intervals; deterministic, so that a report is the same whenever it is made. */
import type { Estimate } from '../../shared/report.js';
import { Random } from './random.js';

export const RESAMPLES = 2000;
const SEED = 20_241_123;

/** Middle value, or the mean of the two middle ones; NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Value at a fraction 0..1 of the sorted values, linear between neighbours. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * fraction;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}

/** The middle 95% of values. */
export function interval95(values: readonly number[]): [number, number] {
  return [quantile(values, 0.025), quantile(values, 0.975)];
}

/** `count` draws of `statistic` over index samples with replacement; `size` indexes each. */
export function resample(
  size: number,
  statistic: (indexes: readonly number[]) => number,
  count = RESAMPLES,
): number[] {
  const random = new Random(SEED);
  return Array.from({ length: count }, () =>
    statistic(Array.from({ length: size }, () => random.below(size))),
  );
}

/** Median of samples with its percentile-bootstrap 95% interval (Efron 1979). One sample gives an interval of no width. */
export function estimate(samples: readonly number[]): Estimate {
  const middle = median(samples);
  if (samples.length < 2) return { median: middle, interval: [middle, middle], samples };
  const draws = resample(samples.length, (indexes) => median(indexes.map((index) => samples[index]!)));
  return { median: middle, interval: interval95(draws), samples };
}

/**
 * Ratio of medians a / b with its 95% interval. Series of one interleaved run have the same length and are resampled
 * by round, so that drift, which hits both alike, cancels.
 */
export function ratioOfMedians(
  a: readonly number[],
  b: readonly number[],
): { ratio: number; interval: [number, number] } {
  const size = Math.min(a.length, b.length);
  const ratio = median(a) / median(b);
  if (size < 2) return { ratio, interval: [ratio, ratio] };
  const draws = resample(
    size,
    (indexes) => median(indexes.map((index) => a[index]!)) / median(indexes.map((index) => b[index]!)),
  );
  return { ratio, interval: interval95(draws) };
}

/** Wilson 95% interval of a share of successes (Wilson 1927). */
export function wilson(successes: number, trials: number): [number, number] {
  if (trials === 0) return [0, 1];
  const z = 1.959964;
  const share = successes / trials;
  const centre = share + (z * z) / (2 * trials);
  const spread = z * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  const scale = 1 + (z * z) / trials;
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}
