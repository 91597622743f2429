/** Breakdown: where time, FLOPs, traffic and memory of a step go, by module tree and by line. */
import { modelLabels } from '../../extension/shared/modelLabels.js';
import {
  BREAKDOWN_PHASES,
  BREAKDOWN_QUANTITIES,
  type BreakdownQuantity,
  type View,
} from '../../extension/shared/protocol.js';
import type { Report } from '../../extension/shared/report.js';
import { integer, percent } from '../../extension/shared/units.js';
import {
  blockText,
  breakdownChoices,
  breakdownLines,
  breakdownTree,
  MODULE_COLUMNS,
  moduleRows,
  PHASE_LABELS,
  QUANTITY_FORMATS,
  QUANTITY_LABELS,
  shownPoint,
  type Block,
  type Place,
} from '../breakdownSpec.js';
import { changingSelect } from '../controls.js';
import { element, fill } from '../dom.js';
import { Icicle, isSelected } from '../icicle.js';
import { lineColumns, lineRows } from '../lineTable.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';
import { readPalette, seriesColour } from '../theme.js';

const SHOWN_LINES = 12;

const NOTES: Readonly<Record<BreakdownQuantity, string>> = {
  time: 'Times are of profiled steps, scaled to the median step; a line has its backward pass with it.',
  flops: 'Counted from shapes, 2 per multiply-add; recomputation in the backward pass is counted there.',
  bytes: 'Every operand of every kernel touched once, counted from shapes: what caches save is not in it.',
  kept: 'Results of the forward pass that stay in memory until the backward pass has read them, counted from shapes. Weights, gradients and optimizer state are not in it.',
};

export function breakdownView({ controls, choose, openLine }: ViewContext): ReportView {
  const open =
    openLine === null
      ? null
      : ({ file, line }: Place): void => {
          openLine(file, line);
        };
  const model = changingSelect<string>(controls, 'Model', (breakdownModel) => {
    choose({ breakdownModel });
  });
  const at = changingSelect<string>(controls, 'Context', (value) => {
    choose({ breakdownContext: Number(value) });
  });
  const quantity = controls.select(
    'Show',
    BREAKDOWN_QUANTITIES.map((value) => ({ value, label: QUANTITY_LABELS[value] })),
    (breakdownQuantity) => {
      choose({ breakdownQuantity });
    },
  );
  const phase = controls.select(
    'Of',
    BREAKDOWN_PHASES.map((value) => ({ value, label: PHASE_LABELS[value] })),
    (breakdownPhase) => {
      choose({ breakdownPhase });
    },
  );
  const merge = controls.checkbox('Layers together', (breakdownMerge) => {
    choose({ breakdownMerge });
  });
  const icicle = new Icicle(open);
  const note = element('p', { class: 'small' });
  const lines = element('div');
  const numbers = element('div');
  const bars = element('div', {}, icicle.element, note, lines);
  const older = element(
    'p',
    { class: 'empty' },
    'This run was made before costs were kept by module: run it again to see them.',
  );
  const content = element(
    'div',
    {},
    element(
      'div',
      { class: 'controls' },
      model.element,
      at.element,
      quantity.element,
      phase.element,
      merge.element,
    ),
    bars,
    older,
    numbers,
  );
  const empty = element('p', { class: 'empty' });
  let shown: { readonly report: Report; readonly view: View } | null = null;
  let revealed = '';
  const show = (report: Report, view: View): void => {
    const point = shownPoint(report, view);
    content.hidden = point === null;
    empty.hidden = point !== null;
    empty.textContent =
      report.status === 'running'
        ? 'Where the time goes appears here when the first context has been timed.'
        : 'This run has no breakdown: run Crossover: Compare Architectures... and tick Timing.';
    if (point === null) return;
    const { models, contexts } = breakdownChoices(report, point.model);
    model.offer(models.map((value) => ({ value, label: value })));
    model.set(point.model);
    at.offer(contexts.map((value) => ({ value: String(value), label: integer(value) })));
    at.set(String(point.context));
    quantity.set(view.breakdownQuantity);
    phase.set(view.breakdownPhase);
    phase.element.hidden = view.breakdownQuantity === 'kept';
    merge.set(view.breakdownMerge);
    const parts = point.parts ?? [];
    const selected = view.breakdownLine === 0 ? null : { file: view.breakdownFile, line: view.breakdownLine };
    const chosen = {
      phase: view.breakdownPhase,
      quantity: view.breakdownQuantity,
      merge: view.breakdownMerge,
    };
    bars.hidden = parts.length === 0;
    older.hidden = parts.length > 0;
    if (parts.length > 0) {
      const what = `${QUANTITY_LABELS[chosen.quantity]} of ${point.model} at context ${integer(point.context)}`;
      const colour = seriesColour(readPalette(), modelLabels(report).indexOf(point.model));
      icicle.update(breakdownTree(point.model, parts, chosen), {
        label: `${what}, by module; the tables below have the numbers`,
        colour,
        text: (block) => blockText(block, chosen.quantity),
        selected,
      });
      fill(note, NOTES[chosen.quantity]);
      fill(lines, lineBars(breakdownLines(parts, chosen), chosen.quantity, selected, open));
      lines.style.setProperty('--bar', colour);
    }
    const of = `of ${point.model} at context ${integer(point.context)}`;
    fill(
      numbers,
      table(`Lines ${of}`, lineColumns(openLine), lineRows(point)),
      ...(parts.length === 0
        ? []
        : [table(`Modules ${of}`, MODULE_COLUMNS, moduleRows(parts, chosen.merge))]),
    );
    const wanted = selected === null ? '' : `${selected.line} ${selected.file}`;
    if (wanted !== revealed && view.tab === 'breakdown') {
      revealed = wanted;
      lines.querySelector('.selected')?.scrollIntoView({ block: 'center' });
    }
  };
  return {
    element: element('section', { 'aria-label': 'Breakdown' }, content, empty),
    recolour: () => {
      if (shown !== null) show(shown.report, shown.view);
    },
    update: (report, view) => {
      shown = { report, view };
      show(report, view);
    },
  };
}

/** Lines as bars, the costliest and the one that is pointed out; a bar opens its line. */
function lineBars(
  all: readonly Block[],
  quantity: BreakdownQuantity,
  selected: Place | null,
  open: ((place: Place) => void) | null,
): HTMLElement {
  const shown = all.filter((block, index) => index < SHOWN_LINES || isSelected(block, selected));
  const largest = all[0]?.share ?? 1;
  const list = element(
    'ol',
    { class: 'bars', 'aria-label': 'Costliest lines' },
    ...shown.map((block) => {
      const { name, value, share, place } = block;
      const filled = element('span', { class: 'filled' });
      filled.style.width = `${((share / largest) * 100).toFixed(2)}%`;
      const cells = [
        element('span', { class: 'name' }, name),
        element('span', { class: 'track', 'aria-hidden': 'true' }, filled),
        element('span', { class: 'value' }, `${QUANTITY_FORMATS[quantity](value)}, ${percent(share)}`),
      ];
      const mark = isSelected(block, selected);
      const attributes = { class: mark ? 'selected' : false, 'aria-current': mark ? 'true' : false };
      if (open === null || place === null) return element('li', attributes, element('div', {}, ...cells));
      return element(
        'li',
        attributes,
        element(
          'button',
          {
            title: `Open ${place.file}`,
            'data-file': place.file,
            'data-line': String(place.line),
            'data-focus': `line ${name}`,
          },
          ...cells,
        ),
      );
    }),
  );
  list.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest('button') : null;
    const { file, line } = button?.dataset ?? {};
    if (file !== undefined && line !== undefined) open?.({ file, line: Number(line) });
  });
  return list;
}
