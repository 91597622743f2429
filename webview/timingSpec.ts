/** Timing in charts and tables: pure functions of the report. */
import type { TimingMetric, View } from '../extension/shared/protocol.js';
import type { Report, TimingPoint } from '../extension/shared/report.js';
import { bytes, count, flops, integer, milliseconds, percent, range } from '../extension/shared/units.js';
import type { ChartSpec } from './chartSpec.js';
import { conditions } from './conditions.js';
import { contextSpec, controlColumn, type Metric } from './contextSpec.js';
import type { Column } from './table.js';

export const TIMING: Readonly<Record<TimingMetric, Metric<TimingPoint>>> = {
  step: {
    label: 'Training step',
    axis: 'Time of a training step',
    format: milliseconds,
    value: ({ step }) => ({ y: step.median, interval: step.interval }),
    crossovers: 'context',
  },
  forward: {
    label: 'Forward',
    axis: 'Time of the forward pass',
    format: milliseconds,
    value: ({ forwardMs }) => ({ y: forwardMs }),
  },
  backward: {
    label: 'Backward',
    axis: 'Time of the backward pass',
    format: milliseconds,
    value: ({ backwardMs }) => ({ y: backwardMs }),
  },
  tokensPerSecond: {
    label: 'Tokens per second',
    format: count,
    value: ({ tokensPerSecond }) => ({ y: tokensPerSecond }),
  },
  peakBytes: { label: 'Peak memory', format: bytes, value: ({ peakBytes }) => ({ y: peakBytes }) },
};

/** The chart of one metric against context; crossovers are marked on the time of the whole step. */
export function timingSpec(report: Report, view: View): ChartSpec {
  const metric = TIMING[view.timingMetric];
  return contextSpec(report, {
    points: report.timing,
    metric,
    title: metric.label,
    caption: conditions(report, report.tokensPerStep),
    logX: view.timingLogX,
    logY: view.timingLogY,
  });
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
