/** Difference tests between models on the items of evals. */
import { digits } from '../../shared/units.js';
import type { EvalComparison, EvalItems, EvalScore } from '../../shared/report.js';
import { mean } from '../stats/estimate.js';
import { holm, pairedTest, smallestP, type Paired } from '../stats/paired.js';
import { finalScores } from '../../shared/finalScores.js';

const LEVEL = 0.05;

/** One comparison per task and pair of models that were scored on the same items after the same number of tokens. */
export function compareEvals(items: readonly EvalItems[], evals: readonly EvalScore[]): EvalComparison[] {
  const last = finalScores(items);
  return [...new Set(last.map(({ task }) => task))].flatMap((task) => {
    const score = evals.find((one) => one.task === task);
    const ofTask = last.filter((one) => one.task === task);
    if (score === undefined) return [];
    const models = [...new Set(ofTask.map(({ model }) => model))];
    const pairs = models.flatMap((a, i) => models.slice(i + 1).map((b) => [a, b] as const));
    const tests = pairs.flatMap(([a, b]) => {
      const units = bothUnits(ofTask, a, b);
      return units === null ? [] : [{ a, b, test: pairedTest(units.a, units.b) }];
    });
    const ps = holm(tests.map(({ test }) => test.p));
    return tests.map(({ a, b, test }, index): EvalComparison => {
      const p = ps[index]!;
      const unit = ofTask[0]!.unit;
      const told = { task, a, b, ...test, p, unit, metric: score.metric };
      return { ...told, sentence: sentenceOf(told, score, tests.length) };
    });
  });
}

/** Scores of the units that both models have, seeds of shared items averaged; `null` where they saw unequal data. */
function bothUnits(
  items: readonly EvalItems[],
  a: string,
  b: string,
): { readonly a: number[]; readonly b: number[] } | null {
  const [left, right] = [a, b].map((model) => items.filter((one) => one.model === model));
  if (new Set([...left!, ...right!].map(({ tokens }) => tokens)).size !== 1) return null;
  const unitsOf = (group: readonly EvalItems[]): Map<string, number[]> => {
    const units = new Map<string, number[]>();
    for (const { seed, shared, scores } of group)
      scores.forEach((score, index) => {
        const key = shared ? String(index) : `${seed} ${index}`;
        units.set(key, [...(units.get(key) ?? []), score]);
      });
    return units;
  };
  const [of, other] = [unitsOf(left!), unitsOf(right!)];
  const keys = [...of.keys()].filter((key) => other.has(key));
  return keys.length === 0
    ? null
    : { a: keys.map((key) => mean(of.get(key)!)), b: keys.map((key) => mean(other.get(key)!)) };
}

function sentenceOf(
  told: Pick<EvalComparison, 'task' | 'a' | 'b' | 'unit'> & Paired,
  { metric, higherIsBetter }: EvalScore,
  tests: number,
): string {
  const { task, a, b, difference, interval, p, units, unit } = told;
  const of = `paired permutation test over ${units} ${unit}s, for these trained models${tests > 1 ? `, adjusted for ${tests} pairs` : ''}`;
  const size = digits(Math.abs(difference));
  const ends = interval.map((end) => digits(end)).join(' to ');
  if (smallestP(units) > LEVEL)
    return `Can't tell ${a} and ${b} apart on ${task}: ${units} ${unit}${units === 1 ? '' : 's'} are too few for a test.`;
  if (!(p <= LEVEL))
    return `No difference between ${a} and ${b} on ${task} is shown: ${digits(difference)} ${metric} (95% ${ends}), ${pText(p)} (${of}).`;
  const [better, other] = difference > 0 === higherIsBetter ? [a, b] : [b, a];
  const sizes = [...interval].map(Math.abs).sort((x, y) => x - y);
  const range = interval[0] * interval[1] < 0 ? ends : sizes.map((end) => digits(end)).join('-');
  return `${better} is better than ${other} on ${task}, by ${size} ${metric} (95% ${range}), ${pText(p)} (${of}).`;
}

function pText(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${digits(p, 2)}`;
}
