/** Loss: training and held-out loss against tokens, seconds or steps. */
import { LOSS_AXES } from '../../extension/shared/protocol.js';
import { ChartView } from '../chart.js';
import { element, fill } from '../dom.js';
import { LOSS_COLUMNS, LOSS_LABELS, lossSpec } from '../learningSpec.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';

export function lossView({ controls, choose }: ViewContext): ReportView {
  const chart = new ChartView();
  const axis = controls.select(
    'Against',
    LOSS_AXES.map((value) => ({ value, label: LOSS_LABELS[value] })),
    (lossAxis) => {
      choose({ lossAxis });
    },
  );
  const logX = controls.checkbox('Log horizontal', (lossLogX) => {
    choose({ lossLogX });
  });
  const logY = controls.checkbox('Log loss', (lossLogY) => {
    choose({ lossLogY });
  });
  const sentences = element('div', { class: 'sentences', 'aria-live': 'polite' });
  const small = element('div', { class: 'small' });
  const numbers = element('div');
  const content = element(
    'div',
    {},
    element('div', { class: 'controls' }, axis.element, logX.element, logY.element),
    chart.element,
    small,
    numbers,
  );
  const empty = element('p', { class: 'empty' });
  return {
    element: element('section', { 'aria-label': 'Loss' }, sentences, content, empty),
    recolour: () => {
      chart.recolour();
    },
    update: (report, view) => {
      axis.set(view.lossAxis);
      logX.set(view.lossLogX);
      logY.set(view.lossLogY);
      content.hidden = report.loss.length === 0;
      empty.hidden = report.loss.length > 0;
      empty.textContent =
        report.status === 'running'
          ? 'Losses will appear here when models are trained.'
          : 'No model was trained in this run: run Crossover: Compare Architectures... and tick Loss.';
      fill(
        sentences,
        ...report.crossovers
          .filter((crossing) => crossing.axis === view.lossAxis)
          .map(({ sentence }) => element('p', {}, sentence)),
      );
      if (report.loss.length === 0) return;
      chart.update(lossSpec(report, view));
      const data = report.environment?.dataDescription ?? null;
      const hash = report.environment?.dataHash ?? null;
      fill(
        small,
        ...(data === null
          ? []
          : [
              element(
                'p',
                {},
                `Data: ${data}${hash === null ? '' : ` (SHA-256 ${hash.slice(0, 12)})`}; every model reads the same tokens in the same order.`,
              ),
            ]),
      );
      fill(numbers, table('Loss at the end of training', LOSS_COLUMNS, report.loss));
    },
  };
}
