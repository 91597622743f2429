/** Loss and evals in charts and tables: pure functions of the report. */
import type { LossAxis, View } from '../extension/shared/protocol.js';
import type { Crossover, EvalScore, LossCurve, LossPoint, Report } from '../extension/shared/report.js';
import { about, aboutWithin, digits, duration, integer, range } from '../extension/shared/units.js';
import type { ChartMark, ChartSeries, ChartSpec } from './chartSpec.js';
import { conditions, trainingTokensPerStep } from './conditions.js';
import type { Column } from './table.js';
import { modelLabels } from './contextSpec.js';

export const LOSS_LABELS: Readonly<Record<LossAxis, string>> = {
  tokens: 'Training tokens',
  seconds: 'Training seconds',
  step: 'Steps',
};

const three = (value: number): string => digits(value, 3);
/** Scores stand under each other: three decimals each. */
const scoreText = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(3) : digits(value, 3));

/** One seed has no interval, and cannot tell a crossover from chance. */
function crossingText(at: number, interval: Crossover['interval']): string {
  return interval === null
    ? `curves cross at ${about(at)}, one seed`
    : `crossover at ${aboutWithin(at, interval)}`;
}

/** Training loss (lines) and held-out loss (dashed, with markers) of every model and seed. */
export function lossSpec(report: Report, view: View): ChartSpec {
  const axis = view.lossAxis;
  const labels = modelLabels(report);
  const seeds = new Set(report.loss.map(({ seed }) => seed));
  const place = (points: readonly LossPoint[]) =>
    points
      .map((point) => ({ x: point[axis], y: point.loss }))
      .filter(({ x, y }) => Number.isFinite(y) && (x > 0 || !view.lossLogX) && (y > 0 || !view.lossLogY));
  const series = report.loss.flatMap(({ model, seed, points, heldOut }): ChartSeries[] => {
    const name = seeds.size > 1 ? `${model}, seed ${seed}` : model;
    const common = { model: labels.indexOf(model) };
    return [
      { ...common, label: name, points: place(points), markers: false, fine: seeds.size > 1 },
      { ...common, label: `${name}, held out`, points: place(heldOut), dashed: true },
    ];
  });
  return {
    description: `Training loss against ${LOSS_LABELS[axis].toLowerCase()}; the table below has the last values.`,
    caption: conditions(report, trainingTokensPerStep(report.loss)),
    x: { label: LOSS_LABELS[axis], log: view.lossLogX, format: axis === 'seconds' ? three : integer },
    y: { label: 'Loss (nats per token)', log: view.lossLogY, format: three },
    series: series.filter(({ points }) => points.length > 0),
    marks: report.crossovers.flatMap((crossing): ChartMark[] =>
      crossing.axis === axis && crossing.at !== null
        ? [
            {
              at: crossing.at,
              interval: crossing.interval,
              label: crossingText(crossing.at, crossing.interval),
            },
          ]
        : [],
    ),
    level: null,
  };
}

const last = (curve: LossCurve): LossPoint | undefined => curve.points.at(-1);
const orDash = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? '-' : format(value);

export const LOSS_COLUMNS: readonly Column<LossCurve>[] = [
  { title: 'Model', text: ({ model }) => model, words: true },
  { title: 'Seed', text: ({ seed }) => String(seed) },
  { title: 'Steps', text: (curve) => orDash(last(curve)?.step, integer) },
  { title: 'Tokens', text: (curve) => orDash(last(curve)?.tokens, integer) },
  { title: 'Training time', text: (curve) => orDash(last(curve)?.seconds, duration) },
  {
    title: 'Training loss',
    text: (curve) => orDash(last(curve)?.loss, (value) => digits(value, 4)),
    hint: 'Nats per token, last step',
  },
  {
    title: 'Held-out loss',
    text: ({ heldOut }) => orDash(heldOut.at(-1)?.loss, (value) => digits(value, 4)),
    hint: 'Nats per token',
  },
  {
    title: 'Bits per byte',
    text: ({ heldOut }) => orDash(heldOut.at(-1)?.bitsPerByte, (value) => digits(value, 4)),
    hint: 'Held out',
  },
];

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
  { title: 'Seed', text: ({ seed }) => String(seed) },
  { title: 'Training tokens', text: ({ tokens }) => integer(tokens) },
  { title: 'Score', text: ({ score }) => scoreText(score) },
  {
    title: '95% interval',
    text: ({ interval }) => (interval === null ? '-' : range(interval, scoreText)),
  },
  {
    title: 'Metric',
    text: ({ metric, higherIsBetter }) => `${metric} (${higherIsBetter ? 'higher' : 'lower'} is better)`,
    words: true,
  },
  { title: 'Guessing', text: ({ chance }) => orDash(chance, scoreText) },
  { title: 'Items', text: ({ items }) => integer(items) },
];
