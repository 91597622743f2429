/** Decoding: time per token, state and time of the prompt against context. */
import { DECODE_METRICS } from '../../extension/shared/protocol.js';
import { integer } from '../../extension/shared/units.js';
import { DECODE, decodeColumns, decodeSpec } from '../decodeSpec.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { contextView } from './context.js';

export function decodeView(context: ViewContext): ReportView {
  return contextView(context, {
    name: 'Decode',
    metrics: DECODE_METRICS.map((value) => ({ value, label: DECODE[value].label })),
    keys: { metric: 'decodeMetric', logX: 'decodeLogX', logY: 'decodeLogY' },
    metric: (view) => view.decodeMetric,
    axis: 'decode',
    points: (report) => report.decode,
    control: (report) => report.decodeControl,
    spec: decodeSpec,
    caption: 'Decoding, one sequence at a time',
    columns: decodeColumns,
    samples: {
      Token: ({ model, context: at, token }) => ({
        title: `Decoded token of ${model} after ${integer(at)} tokens`,
        estimate: token,
      }),
      Prompt: ({ model, context: at, prompt }) => ({
        title: `Prompt of ${integer(at)} tokens, ${model}`,
        estimate: prompt,
      }),
    },
    empty: (status) =>
      status === 'running'
        ? 'Decoding is timed after the training steps.'
        : 'This run has no decoding: run Crossover: Compare Architectures... and tick Decode.',
  });
}
