/**
 * Two models on the same items: is one better? A permutation test of paired differences (Fisher 1935; Pitman 1937), as advised for
 * evals by Dror et al. 2018 (ACL): under no difference, which of the two had which score is a toss of a coin per unit.
 * Items that belong together, as the queries of one sequence, are one unit (Miller 2024, arXiv 2411.00640).
 */
import { interval95, mean, resample } from './estimate.js';
import { Random } from './random.js';

export interface Paired {
  /** Mean of a - b. */
  readonly difference: number;
  /** 95% percentile bootstrap over units. */
  readonly interval: readonly [number, number];
  /** Two-sided. */
  readonly p: number;
  readonly units: number;
}

/** Up to so many units every toss is tried; the test is exact. */
const EXACT_UNITS = 13;
const TOSSES = 9999;
const SEED = 20_241_127;

export function pairedTest(a: readonly number[], b: readonly number[]): Paired {
  const differences = a.map((value, index) => value - b[index]!);
  const difference = mean(differences);
  const draws = resample(differences.length, (indexes) => mean(indexes.map((index) => differences[index]!)));
  return { difference, interval: interval95(draws), p: tossed(differences), units: differences.length };
}

/** The smallest p that a test of so many units can have. */
export function smallestP(units: number): number {
  return units <= EXACT_UNITS ? 2 ** (1 - units) : 1 / (TOSSES + 1);
}

/** Share of tosses whose sum is as far from zero; drawn ones count the observed toss as one of them (Phipson and Smyth 2010). */
function tossed(differences: readonly number[]): number {
  // Sums of the same numbers in another order differ in the last digits.
  const far = Math.abs(sum(differences)) * (1 - 1e-9);
  if (far === 0) return 1;
  let as = 0;
  if (differences.length <= EXACT_UNITS) {
    const all = 2 ** differences.length;
    for (let signs = 0; signs < all; signs++)
      if (Math.abs(sum(differences.map((value, i) => ((signs >> i) & 1 ? -value : value)))) >= far) as++;
    return as / all;
  }
  const random = new Random(SEED);
  for (let toss = 0; toss < TOSSES; toss++) {
    let total = 0;
    let bits = 0;
    for (let i = 0; i < differences.length; i++) {
      if (i % 32 === 0) bits = random.next();
      total += bits & 1 ? differences[i]! : -differences[i]!;
      bits >>>= 1;
    }
    if (Math.abs(total) >= far) as++;
  }
  return (as + 1) / (TOSSES + 1);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Probabilities of several tests together, so that the chance of any false finding is what one p says (Holm 1979). */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, index) => index).sort((i, j) => ps[i]! - ps[j]!);
  const adjusted = [...ps];
  let least = 0;
  order.forEach((index, rank) => {
    least = Math.max(least, Math.min(1, ps[index]! * (ps.length - rank)));
    adjusted[index] = least;
  });
  return adjusted;
}
