/** Timing: step time against context, the crossover in words, the table, and the lines that cost most. */
import { TIMING_METRICS } from '../../extension/shared/protocol.js';
import { ChartView } from '../chart.js';
import { element, fill } from '../dom.js';
import { hotLines } from '../hotLines.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';
import { TIMING_LABELS, controlSentences, timingColumns, timingRows, timingSpec } from '../timingSpec.js';

export function timingView({ controls, choose, openLine }: ViewContext): ReportView {
  const chart = new ChartView();
  const metric = controls.select(
    'Show',
    TIMING_METRICS.map((value) => ({ value, label: TIMING_LABELS[value] })),
    (timingMetric) => {
      choose({ timingMetric });
    },
  );
  const logX = controls.checkbox('Log context', (timingLogX) => {
    choose({ timingLogX });
  });
  const logY = controls.checkbox('Log scale', (timingLogY) => {
    choose({ timingLogY });
  });
  const sentences = element('div', { class: 'sentences', 'aria-live': 'polite' });
  const small = element('div', { class: 'small' });
  const numbers = element('div');
  const lines = element('div');
  const content = element(
    'div',
    {},
    element('div', { class: 'controls' }, metric.element, logX.element, logY.element),
    chart.element,
    small,
    numbers,
    lines,
  );
  const empty = element('p', { class: 'empty' }, 'This run has no timings.');
  return {
    element: element('section', { 'aria-label': 'Timing' }, sentences, content, empty),
    recolour: () => {
      chart.recolour();
    },
    update: (report, view) => {
      metric.set(view.timingMetric);
      logX.set(view.timingLogX);
      logY.set(view.timingLogY);
      const rows = timingRows(report);
      content.hidden = rows.length === 0;
      empty.hidden = rows.length > 0;
      empty.textContent =
        report.status === 'running'
          ? 'The first timings will appear here.'
          : report.status === 'done'
            ? 'This run has no timings: run Crossover: Compare Architectures... and tick Timing.'
            : 'The run ended before its first timing: run it again.';
      fill(
        sentences,
        ...report.crossovers
          .filter(({ axis }) => axis === 'context')
          .map(({ sentence }) => element('p', {}, sentence)),
      );
      if (rows.length === 0) return;
      chart.update(timingSpec(report, view));
      fill(small, ...controlSentences(report.control).map((text) => element('p', {}, text)));
      fill(numbers, table('Timing of whole training steps', timingColumns(report), rows));
      hotLines(lines, report, openLine);
    },
  };
}
