/** Loss: training and held-out loss against tokens, seconds, FLOPs or steps. */
import { LOSS_AXES, LOSS_SMOOTHINGS, LOSS_UNITS, type LossAxis } from '../../extension/shared/protocol.js';
import { ChartView } from '../chart.js';
import { changingSelect } from '../controls.js';
import { element, fill } from '../dom.js';
import {
  LOSS_COLUMNS,
  LOSS_LABELS,
  LOSS_UNIT_LABELS,
  lossChoices,
  lossCrossings,
  lossSpec,
  possibleView,
  SMOOTHING_LABELS,
} from '../lossSpec.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';

export function lossView({ controls, choose, losses }: ViewContext): ReportView {
  const chart = new ChartView();
  const axis = changingSelect<LossAxis>(controls, 'Against', (lossAxis) => {
    choose({ lossAxis });
  });
  const unit = controls.select(
    'Loss in',
    LOSS_UNITS.map((value) => ({ value, label: LOSS_UNIT_LABELS[value] })),
    (lossUnit) => {
      choose({ lossUnit });
    },
  );
  const smoothing = controls.select(
    'Smoothing',
    LOSS_SMOOTHINGS.map((value) => ({ value, label: SMOOTHING_LABELS[value] })),
    (lossSmoothing) => {
      choose({ lossSmoothing });
    },
  );
  const seeds = controls.checkbox('Every seed', (lossSeeds) => {
    choose({ lossSeeds });
  });
  const logX = controls.checkbox('Log horizontal', (lossLogX) => {
    choose({ lossLogX });
  });
  const logY = controls.checkbox('Log loss', (lossLogY) => {
    choose({ lossLogY });
  });
  const sentences = element('div', { class: 'sentences', 'aria-live': 'polite' });
  const small = element('div', { class: 'small' });
  const numbers = element('div');
  const all = [axis, unit, smoothing, seeds, logX, logY].map((control) => control.element);
  const content = element(
    'div',
    {},
    element('div', { class: 'controls' }, ...all),
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
    update: (report, asked) => {
      const view = possibleView(report, asked);
      const choices = lossChoices(report);
      const axes = LOSS_AXES.filter((value) => value !== 'flops' || choices.flops);
      axis.offer(axes.map((value) => ({ value, label: LOSS_LABELS[value] })));
      unit.element.hidden = !choices.bitsPerByte;
      seeds.element.hidden = !choices.seeds;
      smoothing.element.hidden = !choices.smoothing;
      axis.set(view.lossAxis);
      unit.set(view.lossUnit);
      smoothing.set(view.lossSmoothing);
      seeds.set(view.lossSeeds);
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
        ...lossCrossings(report, view.lossAxis).map(({ sentence }) => element('p', {}, sentence)),
      );
      if (report.loss.length === 0) return;
      chart.update(lossSpec(report, view, losses(report)));
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
