/** Ranges of the axes of a line chart. */
import type { ChartSpec } from './chartSpec.js';
import { visibleValues } from './denseLines.js';
import { linearRange, logRange } from './ticks.js';
import type { AxisRange } from './zoom.js';

const rangeOf = (values: readonly number[], log: boolean): AxisRange | null =>
  log ? logRange(values) : linearRange(values);

/** The horizontal axis when all of it is shown. */
export function wholeRange({ series, x }: ChartSpec): AxisRange | null {
  const places = series.flatMap(({ points, curve }) => [
    ...points.map((point) => point.x),
    ...(curve === undefined ? [] : endsOf(curve.x, x.log)),
  ]);
  return rangeOf(places, x.log);
}

/** First and last place of a curve; on a logarithmic axis the first one above 0. */
function endsOf(x: Float64Array, log: boolean): number[] {
  const first = log ? x.find((place) => place > 0) : x[0];
  const last = x[x.length - 1];
  return first === undefined || last === undefined ? [] : [first, last];
}

/** The vertical axis for what is in view of dense curves and their points; `null`: the library's choice. */
export function verticalRange({ series, x, y }: ChartSpec, shown: AxisRange): AxisRange | null {
  if (series.every(({ curve }) => curve === undefined)) return null;
  const inView = series.flatMap(({ points, curve }) => [
    ...points
      .filter((point) => point.x >= shown.min && point.x <= shown.max)
      .flatMap((point) => [point.y, ...(point.interval ?? [])]),
    ...(curve === undefined ? [] : visibleValues(curve, shown, x.log)),
  ]);
  return rangeOf(inView, y.log);
}
