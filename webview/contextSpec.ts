/** What Timing and Decode share: metrics against context, crossovers, A/A controls, rows. Pure functions of the report. */
import { foremost } from '../extension/shared/foremost.js';
import { modelLabels } from '../extension/shared/modelLabels.js';
import { sameRun } from '../extension/shared/overlayLabel.js';
import type { Control, Crossover, Report } from '../extension/shared/report.js';
import { aboutWithin, digits, integer, plusMinus } from '../extension/shared/units.js';
import type { ChartMark, ChartPoint, ChartSeries, ChartSpec } from './chartSpec.js';
import type { Column } from './table.js';

/** One measurement of a model at a context. */
export interface Measurement {
  readonly model: string;
  readonly context: number;
}

export interface Metric<T> {
  readonly label: string;
  /** On the axis, where it says more than `label`. */
  readonly axis?: string;
  readonly format: (value: number) => string;
  /** Unit of the value itself. */
  readonly unit?: string;
  readonly value: (point: T) => Pick<ChartPoint, 'y' | 'interval'>;
  /** Crossovers that are marked on this metric; none where it is left out. */
  readonly crossovers?: Crossover['axis'];
}

export interface ContextChart<T> {
  readonly points: readonly T[];
  readonly metric: Metric<T>;
  /** What screen readers hear before the names of the models. */
  readonly title: string;
  readonly caption: readonly string[];
  readonly logX: boolean;
  readonly logY: boolean;
}

/** Contexts that were measured, in rising order. */
export function contextsOf(points: readonly Measurement[]): number[] {
  return [...new Set(points.map(({ context }) => context))].sort((a, b) => a - b);
}

/** The chart of one metric against context: a series per model, a mark where curves cross. */
export function contextSpec<T extends Measurement>(report: Report, chart: ContextChart<T>): ChartSpec {
  const { points, metric, logX, logY } = chart;
  const labels = modelLabels(report);
  const series = labels.map((label, model): ChartSeries => ({
    label,
    model,
    points: points
      .filter((point) => point.model === label)
      .map((point) => ({ x: point.context, ...metric.value(point) }))
      .filter(({ y }) => Number.isFinite(y) && (y > 0 || !logY))
      .sort((a, b) => a.x - b.x),
  }));
  return {
    description: `${chart.title} against context length for ${labels.join(', ')}; the table below has the numbers.`,
    caption: chart.caption,
    x: { label: 'Context (tokens)', log: logX, ticks: contextsOf(points), format: integer },
    y: {
      label: metric.axis ?? metric.label,
      log: logY,
      format: metric.format,
      ...(metric.unit === undefined ? {} : { unit: metric.unit }),
    },
    series: series.filter((one) => one.points.length > 0),
    marks: metric.crossovers === undefined ? [] : crossoverMarks(report, metric.crossovers),
    level: null,
  };
}

function crossoverMarks(report: Report, wanted: Crossover['axis']): ChartMark[] {
  return foremost(report, wanted).shown.flatMap(({ at, interval }) =>
    at === null ? [] : [{ at, interval, label: `crossover at ${aboutWithin(at, interval)}` }],
  );
}

/** Rows by context, models side by side. */
export function contextRows<T extends Measurement>(report: Report, points: readonly T[]): T[] {
  const labels = modelLabels(report);
  return [...points].sort(
    (a, b) => a.context - b.context || labels.indexOf(a.model) - labels.indexOf(b.model),
  );
}

/** The control that took turns with a measurement. */
function controlOf(control: readonly Control[], { model, context }: Measurement): Control | undefined {
  return control.find((one) => one.context === context && sameRun(one.model, model));
}

/** The column of an A/A control; none without one. */
export function controlColumn<T extends Measurement>(control: readonly Control[]): Column<T>[] {
  if (control.length === 0) return [];
  return [
    {
      title: 'A/A control',
      value: (row) => controlOf(control, row)?.spread ?? null,
      text: (row) => {
        const found = controlOf(control, row);
        return found === undefined ? '-' : `${plusMinus(found.spread)}${found.busy ? ", can't tell" : ''}`;
      },
      hint: "The same model against itself at this context; above ±10% the machine was busy, and what is inside it can't be told",
    },
  ];
}

/** The A/A control in words. */
export function controlSentences(control: readonly Control[]): string[] {
  return control.map(
    ({ model, context, ratio, interval, spread, busy }) =>
      `A/A control, ${model} against itself at context ${integer(context)}: ratio ${digits(ratio)} (${digits(interval[0])}-${digits(interval[1])}); ${busy ? `the machine was busy, and a difference inside ${plusMinus(spread)} can't be told` : 'a difference inside this is no difference'}.`,
  );
}
