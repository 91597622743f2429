/** Timing: step time against context, the crossover in words, the table. */
import { TIMING_METRICS } from '../../extension/shared/protocol.js';
import { integer } from '../../extension/shared/units.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { timingChart, timingColumns, timingLabel } from '../timingSpec.js';
import { contextView } from './context.js';

export function timingView(context: ViewContext): ReportView {
  return contextView(context, {
    name: 'Timing',
    metrics: TIMING_METRICS.map((value) => ({ value, label: timingLabel(value) })),
    keys: { metric: 'timingMetric', logX: 'timingLogX', logY: 'timingLogY' },
    metric: (view) => view.timingMetric,
    axis: 'context',
    points: (report) => report.timing,
    control: (report) => report.control,
    spec: timingChart,
    linear: (view) => view.timingMetric === 'phases',
    caption: 'Timing of whole training steps',
    columns: timingColumns,
    samples: {
      Step: ({ model, context: at, step }) => ({
        title: `Training step of ${model} at context ${integer(at)}`,
        estimate: step,
      }),
    },
    empty: (status) =>
      status === 'running'
        ? 'The first timings will appear here.'
        : status === 'done'
          ? 'This run has no timings: run Crossover: Compare Architectures... and tick Timing.'
          : 'The run ended before its first timing: run it again.',
  });
}
