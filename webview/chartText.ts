/** Charts as text: a heading, and their points as CSV. Pure functions. */
import type { BarSpec, ChartAxis, ChartSeries, ChartSpec, DenseCurve } from './chartSpec.js';
import { csv } from './tableText.js';

/** What a chart shows, without where its numbers are. */
export const headingOf = ({ description }: ChartSpec | BarSpec): string =>
  description.replace(/; the table below.*$/, '');

const named = ({ label, unit }: Pick<ChartAxis, 'label' | 'unit'>): string =>
  unit === undefined ? label : `${label} (${unit})`;

/** Every point that is drawn, with its interval where it has one; bars with a column per part. */
export function chartCsv(spec: ChartSpec | BarSpec): string {
  if ('bars' in spec) {
    const parts = spec.parts.map((label) => named({ ...spec.y, label }));
    const lines = spec.bars.flatMap(({ label, values }) =>
      values.flatMap((value, index) =>
        value === null ? [] : [[label, spec.x.values[index] ?? null, ...value]],
      ),
    );
    return csv([['Model', spec.x.label, ...parts], ...lines]);
  }
  const y = named(spec.y);
  const lines = linesOf(spec.series);
  const withIntervals = lines.some(({ interval }) => interval !== null);
  const withRaw = lines.some(({ raw }) => raw !== null);
  return csv([
    [
      'Series',
      named(spec.x),
      y,
      ...(withRaw ? [`${y} as measured`] : []),
      ...(withIntervals ? [`${y} low`, `${y} high`] : []),
    ],
    ...lines.map((line) => [
      line.series,
      line.x,
      line.y,
      ...(withRaw ? [line.raw] : []),
      ...(withIntervals ? (line.interval ?? [null, null]) : []),
    ]),
  ]);
}

interface Line {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  /** Before smoothing. */
  readonly raw: number | null;
  readonly interval: readonly [number, number] | null;
}

/** Of more points than this, every so manieth is written and the last. */
const MOST_LINES = 100_000;

function linesOf(series: readonly ChartSeries[]): Line[] {
  const dense = series.reduce((sum, { curve }) => sum + (curve?.x.length ?? 0), 0);
  const every = Math.max(1, Math.ceil(dense / MOST_LINES));
  return series.flatMap(({ label, points, curve }): Line[] =>
    curve === undefined
      ? points.map(({ x, y, interval }) => ({ series: label, x, y, raw: null, interval: interval ?? null }))
      : curveLines(label, curve, every),
  );
}

function curveLines(series: string, { x, y, raw, band }: DenseCurve, every: number): Line[] {
  const lines: Line[] = [];
  for (
    let at = 0;
    at < x.length;
    at = at + every < x.length || at === x.length - 1 ? at + every : x.length - 1
  )
    lines.push({
      series,
      x: x[at] ?? NaN,
      y: y[at] ?? NaN,
      raw: raw?.[at] ?? null,
      interval: band === null ? null : [band.low[at] ?? NaN, band.high[at] ?? NaN],
    });
  return lines;
}
