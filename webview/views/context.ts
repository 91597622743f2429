/** A tab of metrics against context, for Timing and Decode: a choice of metric, the crossover in words, chart and table. */
import { foremost } from '../../extension/shared/foremost.js';
import type { View } from '../../extension/shared/protocol.js';
import type { Control, Crossover, Report } from '../../extension/shared/report.js';
import { ChartView } from '../chart.js';
import type { BarSpec, ChartSpec } from '../chartSpec.js';
import { contextRows, controlSentences, type Measurement } from '../contextSpec.js';
import { element, fill } from '../dom.js';
import type { ReportView, ViewContext } from '../reportView.js';
import { showSamples } from '../samplesDialog.js';
import type { Samples } from '../samplesSpec.js';
import { table, type Column } from '../table.js';

/** Names of the boolean options of a view. */
type Option = { [K in keyof View]: View[K] extends boolean ? K : never }[keyof View];

export interface ContextTab<M extends string, T extends Measurement> {
  readonly name: string;
  readonly metrics: readonly { readonly value: M; readonly label: string }[];
  /** Where a view keeps the choices of this tab. */
  readonly keys: { readonly metric: keyof View; readonly logX: Option; readonly logY: Option };
  readonly metric: (view: View) => M;
  readonly axis: Crossover['axis'];
  readonly points: (report: Report) => readonly T[];
  readonly control: (report: Report) => readonly Control[];
  readonly spec: (report: Report, view: View) => ChartSpec | BarSpec;
  /** What is drawn linearly whatever is chosen. */
  readonly linear?: (view: View) => boolean;
  readonly caption: string;
  readonly columns: (report: Report) => readonly Column<T>[];
  /** The samples behind the medians of a column, by its title. */
  readonly samples: Readonly<Record<string, (row: T) => Samples>>;
  /** Said while there is nothing to show. */
  readonly empty: (status: Report['status']) => string;
}

export function contextView<M extends string, T extends Measurement>(
  { controls, choose }: ViewContext,
  tab: ContextTab<M, T>,
): ReportView {
  const chart = new ChartView();
  const metric = controls.select('Show', tab.metrics, (value) => {
    choose({ [tab.keys.metric]: value });
  });
  const logX = controls.checkbox('Log context', (value) => {
    choose({ [tab.keys.logX]: value });
  });
  const logY = controls.checkbox('Log scale', (value) => {
    choose({ [tab.keys.logY]: value });
  });
  const sentences = element('div', { class: 'sentences', 'aria-live': 'polite' });
  const count = element('summary');
  const rest = element('div');
  const others = element('details', { class: 'small' }, count, rest);
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
    element: element('section', { 'aria-label': tab.name }, sentences, others, content, empty),
    recolour: () => {
      chart.recolour();
    },
    update: (report, view) => {
      metric.set(tab.metric(view));
      logX.set(view[tab.keys.logX]);
      logY.set(view[tab.keys.logY]);
      const linear = tab.linear?.(view) === true;
      logX.element.hidden = linear;
      logY.element.hidden = linear;
      const rows = contextRows(report, tab.points(report));
      content.hidden = rows.length === 0;
      empty.hidden = rows.length > 0;
      empty.textContent = tab.empty(report.status);
      const said = foremost(report, tab.axis);
      fill(sentences, ...said.shown.map(({ sentence }) => element('p', {}, sentence)));
      others.hidden = said.others.length === 0;
      fill(count, `${said.others.length} more pairs`);
      fill(rest, ...said.others.map(({ sentence }) => element('p', {}, sentence)));
      if (rows.length === 0) return;
      chart.update(tab.spec(report, view));
      fill(small, ...controlSentences(tab.control(report)).map((text) => element('p', {}, text)));
      fill(numbers, table(tab.caption, withSamples(tab.columns(report), tab.samples), rows));
    },
  };
}

/** Medians that show their samples when they are pressed. */
function withSamples<T>(
  columns: readonly Column<T>[],
  samples: ContextTab<string, T & Measurement>['samples'],
): Column<T & Measurement>[] {
  return columns.map((column) => {
    const of = samples[column.title];
    if (of === undefined) return column;
    return {
      ...column,
      press: (row) => ({
        hint: 'Show the samples',
        run: () => {
          showSamples(of(row));
        },
      }),
    };
  });
}
