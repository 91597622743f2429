/** Timing: step time against context, the crossover in words, the table, and the lines that cost most. */
import { TIMING_METRICS } from '../../extension/shared/protocol.js';
import { element, fill } from '../dom.js';
import { hotLines } from '../hotLines.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { timingColumns, timingLabel, timingChart } from '../timingSpec.js';
import { contextView } from './context.js';

export function timingView(context: ViewContext): ReportView {
  const lines = element('div');
  return contextView(
    context,
    {
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
      empty: (status) =>
        status === 'running'
          ? 'The first timings will appear here.'
          : status === 'done'
            ? 'This run has no timings: run Crossover: Compare Architectures... and tick Timing.'
            : 'The run ended before its first timing: run it again.',
    },
    {
      element: lines,
      update: (report) => {
        fill(lines, ...hotLines(report, context.openLine));
      },
    },
  );
}
