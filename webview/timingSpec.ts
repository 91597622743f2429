/** Timing in charts and tables: pure functions of the report. */
import { modelLabels } from '../extension/shared/modelLabels.js';
import type { TimingMetric, View } from '../extension/shared/protocol.js';
import type { Estimate, Report, TimingPoint } from '../extension/shared/report.js';
import { bytes, count, flops, integer, milliseconds, percent } from '../extension/shared/units.js';
import type { BarSpec, ChartSpec } from './chartSpec.js';
import { conditions } from './conditions.js';
import { intervalMs, number, optional } from './columns.js';
import { contextsOf, contextSpec, controlColumn, type Metric } from './contextSpec.js';
import type { Column } from './table.js';

/** Tokens that a step reads. */
const tokens = ({ batch, context }: TimingPoint): number => batch * context;
/** What becomes of a median and its interval; a falling function turns the ends around. */
function estimated({ median, interval }: Estimate, of: (ms: number) => number) {
  const ends = interval.map(of);
  return { y: of(median), interval: [Math.min(...ends), Math.max(...ends)] as const };
}

/** Metrics drawn as lines; all but the parts of a step and memory cross where the times of steps do. */
export const TIMING: Readonly<Record<Exclude<TimingMetric, 'phases'>, Metric<TimingPoint>>> = {
  step: {
    label: 'Training step',
    axis: 'Time of a training step',
    format: milliseconds,
    unit: 'ms',
    value: ({ step }) => estimated(step, (ms) => ms),
    crossovers: 'context',
  },
  perThousand: {
    label: 'Time per 1,000 tokens',
    axis: 'Time per 1,000 tokens',
    format: milliseconds,
    unit: 'ms',
    value: (point) => estimated(point.step, (ms) => (ms * 1000) / tokens(point)),
    crossovers: 'context',
  },
  tokensPerSecond: {
    label: 'Tokens per second',
    format: count,
    value: (point) => estimated(point.step, (ms) => (tokens(point) * 1000) / ms),
    crossovers: 'context',
  },
  forward: {
    label: 'Forward',
    axis: 'Time of the forward pass',
    format: milliseconds,
    unit: 'ms',
    value: ({ forwardMs }) => ({ y: forwardMs }),
  },
  backward: {
    label: 'Backward',
    axis: 'Time of the backward pass',
    format: milliseconds,
    unit: 'ms',
    value: ({ backwardMs }) => ({ y: backwardMs }),
  },
  peakBytes: {
    label: 'Peak memory',
    format: bytes,
    unit: 'bytes',
    value: ({ peakBytes }) => ({ y: peakBytes }),
  },
};

const PHASES_LABEL = 'Forward, backward, optimizer';

/** What can be shown, by name. */
export const timingLabel = (metric: TimingMetric): string =>
  metric === 'phases' ? PHASES_LABEL : TIMING[metric].label;

/** What the tab shows: lines of a metric, or the bars of phases. */
export function timingChart(report: Report, view: View): ChartSpec | BarSpec {
  return view.timingMetric === 'phases' ? phaseSpec(report) : timingSpec(report, view, view.timingMetric);
}

/** The chart of one metric against context. */
export function timingSpec(report: Report, view: View, shown: keyof typeof TIMING): ChartSpec {
  const metric = TIMING[shown];
  return contextSpec(report, {
    points: report.timing,
    metric,
    title: metric.label,
    caption: conditions(report, report.tokensPerStep),
    logX: view.timingLogX,
    logY: view.timingLogY,
  });
}

/** What a step is made of, as stacked bars: contexts side by side, a bar per model. */
export function phaseSpec(report: Report): BarSpec {
  const labels = modelLabels(report);
  const contexts = contextsOf(report.timing);
  const bars = labels.map((label, model) => ({
    label,
    model,
    values: contexts.map((context) => {
      const point = report.timing.find((one) => one.model === label && one.context === context);
      return point === undefined ? null : [point.forwardMs, point.backwardMs, point.optimizerMs];
    }),
  }));
  return {
    description: `Forward, backward and optimizer time of a training step at each context length for ${labels.join(', ')}; the table below has the numbers.`,
    caption: conditions(report, report.tokensPerStep),
    x: { label: 'Context (tokens)', values: contexts, format: integer },
    y: { label: 'Time of a training step', format: milliseconds, unit: 'ms' },
    parts: ['Forward', 'Backward', 'Optimizer'],
    bars: bars.filter(({ values }) => values.some((value) => value !== null)),
  };
}

/** Columns of the table; the A/A control stands beside the context it was measured at. */
export function timingColumns(report: Report): Column<TimingPoint>[] {
  const after = TIMING_COLUMNS.findIndex(({ title }) => title === '95% interval') + 1;
  return [
    ...TIMING_COLUMNS.slice(0, after),
    ...controlColumn<TimingPoint>(report.control),
    ...TIMING_COLUMNS.slice(after),
  ];
}

const TIMING_COLUMNS: readonly Column<TimingPoint>[] = [
  { title: 'Model', text: ({ model }) => model, words: true },
  { title: 'Context', ...number(({ context }) => context, integer) },
  { title: 'Step', ...number(({ step }) => step.median, milliseconds, 'ms'), hint: 'Median of the samples' },
  { title: '95% interval', ...intervalMs(({ step }) => step.interval) },
  { title: 'Forward', ...number(({ forwardMs }) => forwardMs, milliseconds, 'ms') },
  { title: 'Backward', ...number(({ backwardMs }) => backwardMs, milliseconds, 'ms') },
  { title: 'Optimizer', ...number(({ optimizerMs }) => optimizerMs, milliseconds, 'ms') },
  { title: 'Tokens/s', ...number(({ tokensPerSecond }) => tokensPerSecond, count) },
  {
    title: 'Per 1,000 tokens',
    ...number((point) => (point.step.median * 1000) / tokens(point), milliseconds, 'ms'),
  },
  { title: 'Peak memory', ...number(({ peakBytes }) => peakBytes, bytes, 'bytes') },
  {
    title: 'Rate',
    ...number(
      ({ flopsPerSecond }) => flopsPerSecond,
      (rate) => `${flops(rate)}/s`,
      'FLOP/s',
    ),
  },
  {
    title: 'Of peak',
    ...optional(({ shareOfPeak }) => shareOfPeak, percent),
    hint: 'Share of the matrix-product rate measured in this run',
  },
  { title: 'Batch', ...number(({ batch }) => batch, integer) },
  { title: 'Samples', ...number(({ step }) => step.samples.length, integer) },
];
