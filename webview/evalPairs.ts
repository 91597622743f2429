/** Scores of models side by side, and two models item by item: pure functions of the report. */
import { modelLabels } from '../extension/shared/modelLabels.js';
import { finalScores } from '../extension/shared/finalScores.js';
import type { View } from '../extension/shared/protocol.js';
import type { EvalItems, EvalScore, Report } from '../extension/shared/report.js';
import { digits, integer, range } from '../extension/shared/units.js';
import { scoreText } from './evalSpec.js';
import { number } from './columns.js';
import type { Column } from './table.js';

/** The last scores of a task, by model. */
export interface TaskRow {
  readonly task: string;
  readonly scores: ReadonlyMap<string, readonly EvalScore[]>;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export function taskRows(report: Report): TaskRow[] {
  const last = finalScores(report.evals);
  return [...new Set(last.map(({ task }) => task))].map((task) => {
    const ofTask = last.filter((score) => score.task === task);
    const models = [...new Set(ofTask.map(({ model }) => model))];
    return {
      task,
      scores: new Map(models.map((model) => [model, ofTask.filter((score) => score.model === model)])),
    };
  });
}

const anyOf = ({ scores }: TaskRow): EvalScore | undefined => [...scores.values()][0]?.[0];

/** Tasks by models: one seed with its interval, several as mean with lowest and highest. */
export function taskColumns(report: Report): Column<TaskRow>[] {
  const models = modelLabels(report).filter((label) => report.evals.some(({ model }) => model === label));
  return [
    { title: 'Task', text: ({ task }) => task, words: true },
    ...models.map((model): Column<TaskRow> => ({
      title: model,
      hint: 'One seed: score and 95% interval; several: mean, lowest and highest',
      text: ({ scores }) => cellText(scores.get(model) ?? []),
      value: ({ scores }) => {
        const found = scores.get(model) ?? [];
        return found.length === 0 ? null : mean(found.map(({ score }) => score));
      },
    })),
    {
      title: 'Guessing',
      text: (row) => {
        const chance = anyOf(row)?.chance ?? null;
        return chance === null ? '-' : scoreText(chance);
      },
      value: (row) => anyOf(row)?.chance ?? null,
    },
    {
      title: 'Metric',
      text: (row) => {
        const one = anyOf(row);
        return one === undefined
          ? '-'
          : `${one.metric} (${one.higherIsBetter ? 'higher' : 'lower'} is better)`;
      },
      words: true,
    },
  ];
}

function cellText(scores: readonly EvalScore[]): string {
  const [first] = scores;
  if (first === undefined) return '-';
  if (scores.length === 1)
    return first.interval === null
      ? scoreText(first.score)
      : `${scoreText(first.score)} (${range(first.interval, scoreText)})`;
  const values = scores.map(({ score }) => score);
  const ends = [Math.min(...values), Math.max(...values)] as const;
  return `${scoreText(mean(values))} (${range(ends, scoreText)}, ${scores.length} seeds)`;
}

/** Models whose items are known. */
export function comparable(report: Report): string[] {
  return modelLabels(report).filter((label) => report.evalItems.some(({ model }) => model === label));
}

/** The two models chosen, or the first two; `null` where there are not two. */
export function pairOf(report: Report, { evalFirst, evalSecond }: View): readonly [string, string] | null {
  const labels = comparable(report);
  const first = labels.includes(evalFirst) ? evalFirst : labels.find((label) => label !== evalSecond);
  const second =
    labels.includes(evalSecond) && evalSecond !== first
      ? evalSecond
      : labels.find((label) => label !== first);
  return first === undefined || second === undefined ? null : [first, second];
}

/** What the tests between two models say. */
export function comparisonSentences(report: Report, [one, other]: readonly [string, string]): string[] {
  return report.comparisons
    .filter(({ a, b }) => (a === one && b === other) || (a === other && b === one))
    .map(({ sentence }) => sentence);
}

/** A question that one of two models got right. */
export interface Disagreement {
  readonly seed: number;
  /** From 1. */
  readonly item: number;
  readonly key: number;
  readonly distance: number;
  readonly expected: number;
  readonly first: number;
  readonly second: number;
}

/** A unit without right and wrong. */
export interface UnitRow {
  readonly seed: number;
  /** From 1. */
  readonly item: number;
  readonly first: number;
  readonly second: number;
}

export interface PairTable {
  readonly task: string;
  readonly sentence: string;
  /** One of the two lists is empty. */
  readonly disagreements: readonly Disagreement[];
  readonly units: readonly UnitRow[];
  readonly unit: string;
}

/** Rows that a table shows. */
const MOST_ROWS = 100;

/** Every task item by item: the questions two models answer differently well, or the scores of each unit. */
export function pairTables(report: Report, [first, second]: readonly [string, string]): PairTable[] {
  const items = finalScores(report.evalItems);
  return [...new Set(items.map(({ task }) => task))].flatMap((task): PairTable[] => {
    const pairs = items
      .filter((one) => one.task === task && one.model === first)
      .flatMap((a): [EvalItems, EvalItems][] => {
        const b = items.find((one) => one.task === task && one.model === second && one.seed === a.seed);
        return b === undefined ? [] : [[a, b]];
      });
    if (pairs.length === 0) return [];
    const { unit } = pairs[0]![0];
    if (pairs.every(([a, b]) => a.answers === null || b.answers === null)) {
      const units = pairs.flatMap(([a, b]) =>
        a.scores.flatMap((score, index): UnitRow[] => {
          const other = b.scores[index];
          return other === undefined ? [] : [{ seed: a.seed, item: index + 1, first: score, second: other }];
        }),
      );
      return [{ task, unit, units: units.slice(0, MOST_ROWS), disagreements: [], sentence: '' }];
    }
    return [{ task, unit, units: [], ...disagreementsOf(pairs, [first, second]) }];
  });
}

function disagreementsOf(
  pairs: readonly (readonly [EvalItems, EvalItems])[],
  [first, second]: readonly [string, string],
): { readonly sentence: string; readonly disagreements: Disagreement[] } {
  const found: Disagreement[] = [];
  const only = [0, 0];
  let listed = 0;
  for (const [a, b] of pairs) {
    if (a.answers === null || b.answers === null) continue;
    const { key, distance, expected, answer } = a.answers;
    for (let i = 0; i < Math.min(answer.length, b.answers.answer.length); i++) {
      // Models of one seed are asked the same; another version may have asked other questions.
      if (b.answers.key[i] !== key[i] || b.answers.expected[i] !== expected[i]) continue;
      listed++;
      const [one, other] = [answer[i]!, b.answers.answer[i]!];
      const [right, alike] = [one === expected[i], other === expected[i]];
      if (right === alike) continue;
      only[right ? 0 : 1]!++;
      const row = { key: key[i]!, distance: distance[i]!, expected: expected[i]! };
      found.push({ seed: a.seed, item: i + 1, ...row, first: one, second: other });
    }
  }
  const more = found.length > MOST_ROWS ? `; the first ${MOST_ROWS} are shown` : '';
  return {
    sentence: `Of ${integer(listed)} questions, only ${first} is right on ${integer(only[0]!)} and only ${second} on ${integer(only[1]!)}${more}.`,
    disagreements: found.slice(0, MOST_ROWS),
  };
}

const seedColumn = { title: 'Seed', ...number(({ seed }: { seed: number }) => seed, String) };

export function disagreementColumns([first, second]: readonly [string, string]): Column<Disagreement>[] {
  const answer = (title: string, of: (row: Disagreement) => number): Column<Disagreement> => ({
    title,
    text: (row) => `${of(row)}${of(row) === row.expected ? ' (right)' : ''}`,
    value: of,
  });
  return [
    { title: 'Question', text: ({ item }) => integer(item), value: ({ item }) => item },
    seedColumn,
    {
      title: 'Key',
      text: ({ key }) => String(key),
      hint: 'Token that is asked for',
      value: ({ key }) => key,
    },
    {
      title: 'Distance',
      text: ({ distance }) => integer(distance),
      hint: 'Tokens from the value to the question',
      value: ({ distance }) => distance,
    },
    { title: 'Value', text: ({ expected }) => String(expected), value: ({ expected }) => expected },
    answer(first, (row) => row.first),
    answer(second, (row) => row.second),
  ];
}

export function unitColumns(unit: string, [first, second]: readonly [string, string]): Column<UnitRow>[] {
  return [
    {
      title: unit.replace(/^./, (letter) => letter.toUpperCase()),
      text: ({ item }) => integer(item),
      value: ({ item }) => item,
    },
    seedColumn,
    { title: first, text: (row) => scoreText(row.first), value: (row) => row.first },
    { title: second, text: (row) => scoreText(row.second), value: (row) => row.second },
    {
      title: 'Difference',
      text: (row) => digits(row.first - row.second),
      value: (row) => row.first - row.second,
    },
  ];
}
