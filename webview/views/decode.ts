/** Decoding: time per token, state and time of the prompt against context. */
import { DECODE_METRICS } from '../../extension/shared/protocol.js';
import { ChartView } from '../chart.js';
import { DECODE_LABELS, decodeColumns, decodeRows, decodeSpec } from '../decodeSpec.js';
import { element, fill } from '../dom.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';
import { controlSentences } from '../timingSpec.js';

export function decodeView({ controls, choose }: ViewContext): ReportView {
  const chart = new ChartView();
  const metric = controls.select(
    'Show',
    DECODE_METRICS.map((value) => ({ value, label: DECODE_LABELS[value] })),
    (decodeMetric) => {
      choose({ decodeMetric });
    },
  );
  const logX = controls.checkbox('Log context', (decodeLogX) => {
    choose({ decodeLogX });
  });
  const logY = controls.checkbox('Log scale', (decodeLogY) => {
    choose({ decodeLogY });
  });
  const sentences = element('div', { class: 'sentences', 'aria-live': 'polite' });
  const small = element('div', { class: 'small' });
  const numbers = element('div');
  const content = element(
    'div',
    {},
    element('div', { class: 'controls' }, metric.element, logX.element, logY.element),
    chart.element,
    small,
    numbers,
  );
  const empty = element('p', { class: 'empty' });
  return {
    element: element('section', { 'aria-label': 'Decode' }, sentences, content, empty),
    recolour: () => {
      chart.recolour();
    },
    update: (report, view) => {
      metric.set(view.decodeMetric);
      logX.set(view.decodeLogX);
      logY.set(view.decodeLogY);
      const rows = decodeRows(report);
      content.hidden = rows.length === 0;
      empty.hidden = rows.length > 0;
      empty.textContent =
        report.status === 'running'
          ? 'Decoding is timed after the training steps.'
          : 'This run has no decoding: run Crossover: Compare Architectures... and tick Decode.';
      fill(
        sentences,
        ...report.crossovers
          .filter(({ axis }) => axis === 'decode')
          .map(({ sentence }) => element('p', {}, sentence)),
      );
      if (rows.length === 0) return;
      chart.update(decodeSpec(report, view));
      fill(small, ...controlSentences(report.decodeControl).map((text) => element('p', {}, text)));
      fill(numbers, table('Decoding, one sequence at a time', decodeColumns(report), rows));
    },
  };
}
