/** Evals in charts and tables: pure functions of the report. */
import { modelLabels } from '../extension/shared/modelLabels.js';
import type { View } from '../extension/shared/protocol.js';
import type { EvalScore, Report } from '../extension/shared/report.js';
import { digits, integer, range } from '../extension/shared/units.js';
import type { ChartSeries, ChartSpec } from './chartSpec.js';
import { conditions } from './conditions.js';
import { number, optional } from './columns.js';
import type { Column } from './table.js';

const three = (value: number): string => digits(value, 3);
/** Scores stand under each other: three decimals each. */
export const scoreText = (value: number): string =>
  Math.abs(value) < 10 ? value.toFixed(3) : digits(value, 3);

/** Held-out text is scored while models train, too: the points before the last one are those of the loss. */
function duringTraining(
  { loss, evals }: Report,
  task: EvalScore | undefined,
  model: string,
  seed: number,
  { evalLogX }: View,
): { x: number; y: number; interval: null }[] {
  if (task?.metric !== 'bits per byte') return [];
  const known = evals.filter((one) => one.task === task.task && one.model === model && one.seed === seed);
  const curve = loss.find((one) => one.model === model && one.seed === seed);
  if (known.length === 0 || curve === undefined) return [];
  return curve.heldOut.flatMap(({ tokens, bitsPerByte }) =>
    bitsPerByte === null || (evalLogX && tokens <= 0) || known.some((one) => one.tokens === tokens)
      ? []
      : [{ x: tokens, y: bitsPerByte, interval: null }],
  );
}

/** One chart per task: score against training tokens. */
export function evalSpecs(report: Report, view: View): { readonly task: string; readonly spec: ChartSpec }[] {
  const labels = modelLabels(report);
  const tasks = [...new Set(report.evals.map(({ task }) => task))];
  return tasks.map((task) => {
    const scores = report.evals.filter((score) => score.task === task);
    const seeds = new Set(scores.map(({ seed }) => seed));
    const [first] = scores;
    const better = first?.higherIsBetter === false ? 'lower is better' : 'higher is better';
    const chance = first?.chance ?? null;
    const series = labels.flatMap((model, index) =>
      [...seeds].map((seed): ChartSeries => ({
        label: seeds.size > 1 ? `${model}, seed ${seed}` : model,
        model: index,
        points: scores
          .filter(
            (score) => score.model === model && score.seed === seed && (score.tokens > 0 || !view.evalLogX),
          )
          .map(({ tokens, score, interval }) => ({ x: tokens, y: score, interval }))
          .concat(duringTraining(report, first, model, seed, view))
          .sort((a, b) => a.x - b.x),
      })),
    );
    return {
      task,
      spec: {
        description: `${task} against training tokens, ${better}; the table below has the numbers.`,
        caption: conditions(report, null),
        x: { label: 'Training tokens', log: view.evalLogX, format: integer },
        y: { label: `${first?.metric ?? 'Score'} (${better})`, log: false, format: three },
        series: series.filter(({ points }) => points.length > 0),
        marks: [],
        level: chance === null ? null : { at: chance, label: 'guessing' },
      },
    };
  });
}

export const EVAL_COLUMNS: readonly Column<EvalScore>[] = [
  { title: 'Model', text: ({ model }) => model, words: true },
  { title: 'Task', text: ({ task }) => task, words: true },
  { title: 'Seed', ...number(({ seed }) => seed, String) },
  { title: 'Training tokens', ...number(({ tokens }) => tokens, integer) },
  { title: 'Score', ...number(({ score }) => score, scoreText) },
  {
    title: '95% interval',
    text: ({ interval }) => (interval === null ? '-' : range(interval, scoreText)),
    ends: ({ interval }) => interval,
  },
  {
    title: 'Metric',
    text: ({ metric, higherIsBetter }) => `${metric} (${higherIsBetter ? 'higher' : 'lower'} is better)`,
    words: true,
  },
  { title: 'Guessing', ...optional(({ chance }) => chance, scoreText) },
  { title: 'Items', ...number(({ items }) => items, integer) },
];
