/** Evals: one chart per task, score against training tokens, with the score of guessing. */
import { ChartView } from '../chart.js';
import { element, fill } from '../dom.js';
import { EVAL_COLUMNS, evalSpecs } from '../evalSpec.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { table } from '../table.js';

export function evalsView({ controls, choose }: ViewContext): ReportView {
  const charts = new Map<string, ChartView>();
  const logX = controls.checkbox('Log tokens', (evalLogX) => {
    choose({ evalLogX });
  });
  const figures = element('div');
  const numbers = element('div');
  const content = element('div', {}, element('div', { class: 'controls' }, logX.element), figures, numbers);
  const empty = element('p', { class: 'empty' });
  return {
    element: element('section', { 'aria-label': 'Eval' }, content, empty),
    recolour: () => {
      for (const chart of charts.values()) chart.recolour();
    },
    update: (report, view) => {
      logX.set(view.evalLogX);
      content.hidden = report.evals.length === 0;
      empty.hidden = report.evals.length > 0;
      empty.textContent =
        report.status === 'running'
          ? 'Scores will appear here when models have been trained.'
          : 'This run has no evals: run Crossover: Compare Architectures... and tick Evals.';
      for (const { task, spec } of evalSpecs(report, view)) {
        let chart = charts.get(task);
        if (chart === undefined) {
          chart = new ChartView();
          charts.set(task, chart);
          figures.append(element('h3', {}, task), chart.element);
        }
        chart.update(spec);
      }
      if (report.evals.length > 0) fill(numbers, table('Scores', EVAL_COLUMNS, report.evals));
    },
  };
}
