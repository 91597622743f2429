/** Timing in charts and tables: pure functions of the report. */
import type { TimingMetric, View } from '../extension/shared/protocol.js';
import type { Control, Report, TimingPoint } from '../extension/shared/report.js';
import {
  aboutWithin,
  bytes,
  count,
  digits,
  flops,
  integer,
  milliseconds,
  percent,
  plusMinus,
  range,
} from '../extension/shared/units.js';
import type { ChartPoint, ChartSpec } from './chartSpec.js';
import { conditions } from './conditions.js';
import type { Column } from './table.js';

export const TIMING_LABELS: Readonly<Record<TimingMetric, string>> = {
  step: 'Training step',
  forward: 'Forward',
  backward: 'Backward',
  tokensPerSecond: 'Tokens per second',
  peakBytes: 'Peak memory',
};

const AXIS_LABELS: Readonly<Record<TimingMetric, string>> = {
  step: 'Time of a training step',
  forward: 'Time of the forward pass',
  backward: 'Time of the backward pass',
  tokensPerSecond: 'Tokens per second',
  peakBytes: 'Peak memory',
};

/** Labels of models in the order of the report, then any that only measurements name. */
export function modelLabels(report: Report): string[] {
  const named = [
    ...report.models.map(({ label }) => label),
    ...report.timing.map(({ model }) => model),
    ...report.decode.map(({ model }) => model),
    ...report.loss.map(({ model }) => model),
    ...report.evals.map(({ model }) => model),
  ];
  return [...new Set(named)];
}

function pointOf(metric: TimingMetric, point: TimingPoint): ChartPoint {
  switch (metric) {
    case 'step':
      return { x: point.context, y: point.step.median, interval: point.step.interval };
    case 'forward':
      return { x: point.context, y: point.forwardMs };
    case 'backward':
      return { x: point.context, y: point.backwardMs };
    case 'tokensPerSecond':
      return { x: point.context, y: point.tokensPerSecond };
    case 'peakBytes':
      return { x: point.context, y: point.peakBytes };
  }
}

const FORMATS: Readonly<Record<TimingMetric, (value: number) => string>> = {
  step: milliseconds,
  forward: milliseconds,
  backward: milliseconds,
  tokensPerSecond: count,
  peakBytes: bytes,
};

/** The chart of one metric against context; crossovers are marked on the time of the whole step. */
export function timingSpec(report: Report, view: View): ChartSpec {
  const metric = view.timingMetric;
  const labels = modelLabels(report);
  const contexts = [...new Set(report.timing.map(({ context }) => context))].sort((a, b) => a - b);
  return {
    description: `${TIMING_LABELS[metric]} against context length for ${labels.join(', ')}; the table below has the numbers.`,
    caption: conditions(report, report.tokensPerStep),
    x: { label: 'Context (tokens)', log: view.timingLogX, ticks: contexts, format: integer },
    y: { label: AXIS_LABELS[metric], log: view.timingLogY, format: FORMATS[metric] },
    series: labels
      .map((label, model) => ({
        label,
        model,
        points: report.timing
          .filter((point) => point.model === label)
          .map((point) => pointOf(metric, point))
          .filter(({ y }) => Number.isFinite(y) && (y > 0 || !view.timingLogY))
          .sort((a, b) => a.x - b.x),
      }))
      .filter(({ points }) => points.length > 0),
    marks:
      metric === 'step'
        ? report.crossovers.flatMap(({ axis, at, interval }) =>
            axis === 'context' && at !== null
              ? [{ at, interval, label: `crossover at ${aboutWithin(at, interval)}` }]
              : [],
          )
        : [],
    level: null,
  };
}

/** Columns of the table; the A/A control stands beside the context it was measured at. */
export function timingColumns(report: Report): Column<TimingPoint>[] {
  const after = TIMING_COLUMNS.findIndex(({ title }) => title === '95% interval') + 1;
  return [
    ...TIMING_COLUMNS.slice(0, after),
    ...controlColumn(report.control),
    ...TIMING_COLUMNS.slice(after),
  ];
}

/** The column of an A/A control; none without one. */
export function controlColumn<T extends { readonly context: number }>(
  control: readonly Control[],
): Column<T>[] {
  if (control.length === 0) return [];
  return [
    {
      title: 'A/A control',
      text: ({ context }) => {
        const found = control.find((one) => one.context === context);
        return found === undefined ? '-' : `${plusMinus(found.spread)}${found.busy ? ", can't tell" : ''}`;
      },
      hint: "The same model against itself at this context; above ±10% the machine was busy, and what is inside it can't be told",
    },
  ];
}

const TIMING_COLUMNS: readonly Column<TimingPoint>[] = [
  { title: 'Model', text: ({ model }) => model, words: true },
  { title: 'Context', text: ({ context }) => integer(context) },
  { title: 'Step', text: ({ step }) => milliseconds(step.median), hint: 'Median of the samples' },
  {
    title: '95% interval',
    text: ({ step }) => range(step.interval, milliseconds),
    hint: 'Bootstrap interval of the median',
  },
  { title: 'Forward', text: ({ forwardMs }) => milliseconds(forwardMs) },
  { title: 'Backward', text: ({ backwardMs }) => milliseconds(backwardMs) },
  { title: 'Optimizer', text: ({ optimizerMs }) => milliseconds(optimizerMs) },
  { title: 'Tokens/s', text: ({ tokensPerSecond }) => count(tokensPerSecond) },
  { title: 'Peak memory', text: ({ peakBytes }) => bytes(peakBytes) },
  { title: 'Rate', text: ({ flopsPerSecond }) => `${flops(flopsPerSecond)}/s` },
  {
    title: 'Of peak',
    text: ({ shareOfPeak }) => (shareOfPeak === null ? '-' : percent(shareOfPeak)),
    hint: 'Share of the matrix-product rate measured in this run',
  },
  { title: 'Batch', text: ({ batch }) => integer(batch) },
  { title: 'Samples', text: ({ step }) => integer(step.samples.length) },
];

/** Rows by context, models side by side. */
export function timingRows(report: Report): TimingPoint[] {
  const labels = modelLabels(report);
  return [...report.timing].sort(
    (a, b) => a.context - b.context || labels.indexOf(a.model) - labels.indexOf(b.model),
  );
}

/** The A/A control in words. */
export function controlSentences(control: readonly Control[]): string[] {
  return control.map(
    ({ model, context, ratio, interval, spread, busy }) =>
      `A/A control, ${model} against itself at context ${integer(context)}: ratio ${digits(ratio)} (${digits(interval[0])}-${digits(interval[1])}); ${busy ? `the machine was busy, and a difference inside ${plusMinus(spread)} can't be told` : 'a difference inside this is no difference'}.`,
  );
}
