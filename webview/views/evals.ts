/** Evals: tasks by models, a chart per task with the score of guessing, and two models item by item. */
import type { Report } from '../../extension/shared/report.js';
import type { View } from '../../extension/shared/protocol.js';
import { ChartView } from '../chart.js';
import { changingSelect } from '../controls.js';
import { element, fill } from '../dom.js';
import {
  comparable,
  comparisonSentences,
  disagreementColumns,
  pairOf,
  pairTables,
  taskColumns,
  taskRows,
  unitColumns,
  type PairTable,
} from '../evalPairs.js';
import { EVAL_COLUMNS, evalSpecs } from '../evalSpec.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';

export function evalsView({ controls, choose }: ViewContext): ReportView {
  const charts = new Map<string, { readonly chart: ChartView; readonly part: HTMLElement }>();
  const logX = controls.checkbox('Log tokens', (evalLogX) => {
    choose({ evalLogX });
  });
  const sentences = element('div', { class: 'sentences', 'aria-live': 'polite' });
  const overview = element('div');
  const figures = element('div');
  const pairs = pairsPart({ controls, choose });
  const numbers = element('div');
  const content = element(
    'div',
    {},
    overview,
    element('div', { class: 'controls' }, logX.element),
    figures,
    pairs.element,
    numbers,
  );
  const empty = element('p', { class: 'empty' });
  return {
    element: element('section', { 'aria-label': 'Eval' }, sentences, content, empty),
    recolour: () => {
      for (const { chart } of charts.values()) chart.recolour();
    },
    update: (report, view) => {
      logX.set(view.evalLogX);
      content.hidden = report.evals.length === 0;
      empty.hidden = report.evals.length > 0;
      empty.textContent =
        report.status === 'running'
          ? 'Scores will appear here when models have been trained.'
          : 'This run has no evals: run Crossover: Compare Architectures... and tick Evals.';
      const specs = evalSpecs(report, view);
      for (const { task, spec } of specs) {
        let shown = charts.get(task);
        if (shown === undefined) {
          const chart = new ChartView();
          shown = { chart, part: element('div', {}, element('h3', {}, task), chart.element) };
          charts.set(task, shown);
          figures.append(shown.part);
        }
        shown.chart.update(spec);
      }
      for (const [task, { part }] of charts) part.hidden = !specs.some((one) => one.task === task);
      const pair = pairOf(report, view);
      fill(
        sentences,
        ...(pair === null ? [] : comparisonSentences(report, pair).map((text) => element('p', {}, text))),
      );
      pairs.update(report, view);
      if (report.evals.length === 0) return;
      fill(overview, table('Tasks by models', taskColumns(report), taskRows(report)));
      fill(numbers, table('Scores', EVAL_COLUMNS, report.evals));
    },
  };
}

/** Two models, chosen from lists, and the items on which they differ. */
function pairsPart({ controls, choose }: Pick<ViewContext, 'controls' | 'choose'>): {
  readonly element: HTMLElement;
  update(report: Report, view: View): void;
} {
  const selects = [
    changingSelect<string>(controls, 'Compare', (evalFirst) => {
      choose({ evalFirst });
    }),
    changingSelect<string>(controls, 'with', (evalSecond) => {
      choose({ evalSecond });
    }),
  ];
  const lists = element('div', { class: 'controls' }, ...selects.map((select) => select.element));
  const tables = element('div');
  const part = element('div', {}, element('h3', {}, 'Two models, item by item'), lists, tables);
  return {
    element: part,
    update: (report, view) => {
      const pair = pairOf(report, view);
      part.hidden = pair === null;
      if (pair === null) return;
      const choices = comparable(report).map((label) => ({ value: label, label }));
      selects.forEach((select, index) => {
        select.offer(choices);
        select.set(pair[index] ?? '');
      });
      fill(tables, ...pairTables(report, pair).flatMap((one) => pairTable(one, pair)));
    },
  };
}

function pairTable(shown: PairTable, pair: readonly [string, string]): HTMLElement[] {
  const { task, sentence, disagreements, units, unit } = shown;
  return [
    ...(sentence === '' ? [] : [element('p', {}, `${task}: ${sentence}`)]),
    ...(disagreements.length === 0
      ? []
      : [table(`Where the two disagree: ${task}`, disagreementColumns(pair), disagreements)]),
    ...(units.length === 0 ? [] : [table(`By ${unit}: ${task}`, unitColumns(unit, pair), units)]),
  ];
}
