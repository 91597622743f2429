/** Decoding in charts and tables: pure functions of the report. */
import type { DecodeMetric, View } from '../extension/shared/protocol.js';
import type { DecodePoint, Report } from '../extension/shared/report.js';
import { aboutWithin, bytes, count, integer, milliseconds, range } from '../extension/shared/units.js';
import type { ChartPoint, ChartSpec } from './chartSpec.js';
import { conditions } from './conditions.js';
import type { Column } from './table.js';
import { controlColumn, modelLabels } from './timingSpec.js';

export const DECODE_LABELS: Readonly<Record<DecodeMetric, string>> = {
  token: 'Time per token',
  tokensPerSecond: 'Tokens per second',
  stateBytes: 'State',
  prompt: 'Time of the prompt',
  promptTokensPerSecond: 'Prompt tokens per second',
};

const FORMATS: Readonly<Record<DecodeMetric, (value: number) => string>> = {
  token: milliseconds,
  tokensPerSecond: count,
  stateBytes: bytes,
  prompt: milliseconds,
  promptTokensPerSecond: count,
};

function pointOf(metric: DecodeMetric, point: DecodePoint): ChartPoint {
  const value = point[metric];
  return typeof value === 'number'
    ? { x: point.context, y: value }
    : { x: point.context, y: value.median, interval: value.interval };
}

/** The chart of one metric against context; crossovers are marked on the time per token. */
export function decodeSpec(report: Report, view: View): ChartSpec {
  const metric = view.decodeMetric;
  const labels = modelLabels(report);
  const contexts = [...new Set(report.decode.map(({ context }) => context))].sort((a, b) => a - b);
  return {
    description: `Decoding, ${DECODE_LABELS[metric].toLowerCase()} against context length for ${labels.join(', ')}; the table below has the numbers.`,
    caption: [...conditions(report, null), 'One sequence at a time'],
    x: { label: 'Context (tokens)', log: view.decodeLogX, ticks: contexts, format: integer },
    y: { label: DECODE_LABELS[metric], log: view.decodeLogY, format: FORMATS[metric] },
    series: labels
      .map((label, model) => ({
        label,
        model,
        points: report.decode
          .filter((point) => point.model === label)
          .map((point) => pointOf(metric, point))
          .filter(({ y }) => Number.isFinite(y) && (y > 0 || !view.decodeLogY))
          .sort((a, b) => a.x - b.x),
      }))
      .filter(({ points }) => points.length > 0),
    marks:
      metric === 'token'
        ? report.crossovers.flatMap(({ axis, at, interval }) =>
            axis === 'decode' && at !== null
              ? [{ at, interval, label: `crossover at ${aboutWithin(at, interval)}` }]
              : [],
          )
        : [],
    level: null,
  };
}

const INTERVAL_HINT = 'Bootstrap interval of the median';

/** Columns of the table; the A/A control stands beside the context it was measured at. */
export function decodeColumns(report: Report): Column<DecodePoint>[] {
  return [
    { title: 'Model', text: ({ model }) => model, words: true },
    { title: 'Context', text: ({ context }) => integer(context) },
    { title: 'Token', text: ({ token }) => milliseconds(token.median), hint: 'Median of the samples' },
    { title: '95% interval', text: ({ token }) => range(token.interval, milliseconds), hint: INTERVAL_HINT },
    ...controlColumn<DecodePoint>(report.decodeControl),
    { title: 'Tokens/s', text: ({ tokensPerSecond }) => count(tokensPerSecond) },
    {
      title: 'State',
      text: ({ stateBytes }) => bytes(stateBytes),
      hint: 'What must be kept of the context: keys and values, or recurrent states',
    },
    { title: 'Prompt', text: ({ prompt }) => milliseconds(prompt.median), hint: 'Time to read the context' },
    {
      title: 'Prompt, 95%',
      text: ({ prompt }) => range(prompt.interval, milliseconds),
      hint: INTERVAL_HINT,
    },
    { title: 'Prompt tokens/s', text: ({ promptTokensPerSecond }) => count(promptTokensPerSecond) },
    { title: 'Samples', text: ({ token }) => integer(token.samples.length) },
  ];
}

/** Rows by context, models side by side. */
export function decodeRows(report: Report): DecodePoint[] {
  const labels = modelLabels(report);
  return [...report.decode].sort(
    (a, b) => a.context - b.context || labels.indexOf(a.model) - labels.indexOf(b.model),
  );
}
