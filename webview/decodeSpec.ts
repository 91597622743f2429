/** Decoding in charts and tables: pure functions of the report. */
import type { DecodeMetric, View } from '../extension/shared/protocol.js';
import type { DecodePoint, Estimate, Report } from '../extension/shared/report.js';
import { bytes, count, integer, milliseconds } from '../extension/shared/units.js';
import type { ChartSpec } from './chartSpec.js';
import { conditions } from './conditions.js';
import { intervalMs, number } from './columns.js';
import { contextSpec, controlColumn, type Metric } from './contextSpec.js';
import type { Column } from './table.js';

const estimated = ({ median, interval }: Estimate) => ({ y: median, interval });

export const DECODE: Readonly<Record<DecodeMetric, Metric<DecodePoint>>> = {
  token: {
    label: 'Time per token',
    format: milliseconds,
    unit: 'ms',
    value: ({ token }) => estimated(token),
    crossovers: 'decode',
  },
  tokensPerSecond: {
    label: 'Tokens per second',
    format: count,
    value: ({ tokensPerSecond }) => ({ y: tokensPerSecond }),
  },
  stateBytes: {
    label: 'State',
    format: bytes,
    unit: 'bytes',
    value: ({ stateBytes }) => ({ y: stateBytes }),
  },
  prompt: {
    label: 'Time of the prompt',
    format: milliseconds,
    unit: 'ms',
    value: ({ prompt }) => estimated(prompt),
  },
  promptTokensPerSecond: {
    label: 'Prompt tokens per second',
    format: count,
    value: ({ promptTokensPerSecond }) => ({ y: promptTokensPerSecond }),
  },
};

/** The chart of one metric against context; crossovers are marked on the time per token. */
export function decodeSpec(report: Report, view: View): ChartSpec {
  const metric = DECODE[view.decodeMetric];
  return contextSpec(report, {
    points: report.decode,
    metric,
    title: `Decoding, ${metric.label.toLowerCase()}`,
    caption: [...conditions(report, null), 'One sequence at a time'],
    logX: view.decodeLogX,
    logY: view.decodeLogY,
  });
}

/** Columns of the table; the A/A control stands beside the context it was measured at. */
export function decodeColumns(report: Report): Column<DecodePoint>[] {
  return [
    { title: 'Model', text: ({ model }) => model, words: true },
    { title: 'Context', ...number(({ context }) => context, integer) },
    {
      title: 'Token',
      ...number(({ token }) => token.median, milliseconds, 'ms'),
      hint: 'Median of the samples',
    },
    { title: '95% interval', ...intervalMs(({ token }) => token.interval) },
    ...controlColumn<DecodePoint>(report.decodeControl),
    { title: 'Tokens/s', ...number(({ tokensPerSecond }) => tokensPerSecond, count) },
    {
      title: 'State',
      ...number(({ stateBytes }) => stateBytes, bytes, 'bytes'),
      hint: 'What must be kept of the context: keys and values, or recurrent states',
    },
    {
      title: 'Prompt',
      ...number(({ prompt }) => prompt.median, milliseconds, 'ms'),
      hint: 'Time to read the context',
    },
    { title: 'Prompt, 95%', ...intervalMs(({ prompt }) => prompt.interval) },
    { title: 'Prompt tokens/s', ...number(({ promptTokensPerSecond }) => promptTokensPerSecond, count) },
    { title: 'Samples', ...number(({ token }) => token.samples.length, integer) },
  ];
}
