/** Lines of any number of points, drawn past the library: only the points that show, chosen anew for every frame. */
import type { Chart, Plugin, Scale } from 'chart.js';
import {
  columnEdges,
  columnExtremes,
  columnSpans,
  decimate,
  type Window,
} from '../extension/shared/decimate.js';
import type { ChartPoint, ChartSpec, DenseCurve } from './chartSpec.js';
import { extent } from './extent.js';
import type { AxisRange } from './zoom.js';

/** Columns whose extremes a pointer can rest on. */
const HOVER_COLUMNS = 80;

/** Lowest and highest value of curves between two places. */
export function visibleValues(curve: DenseCurve, { min, max }: AxisRange, log: boolean): number[] {
  const edges = columnEdges(curve.x, { from: min, to: max, log, columns: 1 });
  const values: number[] = [];
  const drawn = [curve.y, curve.raw, curve.band?.low, curve.band?.high];
  for (const column of drawn) {
    if (column === undefined || column === null) continue;
    values.push(...(extent(column, edges[0]!, edges[edges.length - 1]!) ?? []));
  }
  return values;
}

/** Points of the line to point at: all that are in view where they are few, else extremes. */
export function hoverPoints(curve: DenseCurve, { min, max }: AxisRange, log: boolean): ChartPoint[] {
  const found = decimate(curve.x, curve.y, { from: min, to: max, log, columns: HOVER_COLUMNS });
  return Array.from(found, (index) => ({
    x: curve.x[index]!,
    y: curve.y[index]!,
    ...(curve.band === null ? {} : { within: [curve.band.low[index]!, curve.band.high[index]!] as const }),
  })).filter(({ x }) => x >= min && x <= max);
}

type ToPixel = (value: number) => number;

/** The library's own way from values to pixels, without its checks. */
function toPixel(scale: Scale, log: boolean): ToPixel {
  const [from, to] = [scale.getPixelForValue(scale.min), scale.getPixelForValue(scale.max)];
  if (!log) {
    const each = (to - from) / (scale.max - scale.min);
    return (value) => from + (value - scale.min) * each;
  }
  const low = Math.log(scale.min);
  const each = (to - from) / (Math.log(scale.max) - low);
  return (value) => from + (Math.log(value) - low) * each;
}

interface Brush {
  readonly ctx: CanvasRenderingContext2D;
  readonly window: Window;
  readonly toX: ToPixel;
  readonly toY: ToPixel;
}

/** A line of one width; a noisy one, which fills its columns, as the area it fills. */
function line(brush: Brush, x: Float64Array, y: Float64Array, edges: Int32Array, width: number): void {
  const { ctx, window, toX, toY } = brush;
  const indexes = columnExtremes(y, edges);
  ctx.beginPath();
  if (indexes.length > 2 * window.columns) {
    area(brush, y, edges, indexes);
    ctx.fill();
    return;
  }
  for (const index of indexes) ctx.lineTo(toX(x[index]!), toY(y[index]!));
  ctx.lineWidth = width;
  ctx.stroke();
}

/** The pixels of a zigzag as one outline, half a pixel around it: renderers fill it several times as fast as they stroke the zigzag. */
function area(
  { ctx, window, toX, toY }: Brush,
  y: Float64Array,
  edges: Int32Array,
  indexes: Int32Array,
): void {
  const { low, high } = columnSpans(y, edges, indexes);
  const left = toX(window.from) - 1;
  for (let stretch = 0; stretch < high.length; stretch++) {
    const top = toY(high[stretch]!) - 0.5;
    ctx.lineTo(left + stretch, top);
    ctx.lineTo(left + stretch + 1, top);
  }
  for (let stretch = low.length - 1; stretch >= 0; stretch--) {
    const bottom = toY(low[stretch]!) + 0.5;
    ctx.lineTo(left + stretch + 1, bottom);
    ctx.lineTo(left + stretch, bottom);
  }
}

function band({ ctx, toX, toY }: Brush, curve: DenseCurve, edges: Int32Array): void {
  if (curve.band === null) return;
  const { low, high } = curve.band;
  ctx.beginPath();
  for (const index of columnExtremes(high, edges)) ctx.lineTo(toX(curve.x[index]!), toY(high[index]!));
  for (const index of columnExtremes(low, edges).reverse())
    ctx.lineTo(toX(curve.x[index]!), toY(low[index]!));
  ctx.closePath();
  ctx.fill();
}

/** Draws the dense curves of a chart under its markers; `spec` is what the chart shows. */
export function denseLines(spec: () => ChartSpec | null): Plugin {
  return {
    id: 'denseLines',
    beforeDatasetsDraw: (chart: Chart) => {
      const shown = spec();
      const { x, y } = chart.scales;
      if (shown === null || x === undefined || y === undefined) return;
      const { ctx, chartArea } = chart;
      const columns = Math.max(1, Math.round(chartArea.width));
      const window = { from: x.min, to: x.max, log: shown.x.log, columns };
      const brush = { ctx, window, toX: toPixel(x, shown.x.log), toY: toPixel(y, shown.y.log) };
      ctx.save();
      ctx.beginPath();
      ctx.rect(chartArea.left, chartArea.top, chartArea.width, chartArea.height);
      ctx.clip();
      ctx.lineJoin = 'bevel';
      const curves = shown.series.flatMap(({ curve, fine }, index) => {
        if (curve === undefined || !chart.isDatasetVisible(index)) return [];
        const colour = chart.data.datasets[index]?.borderColor;
        const edges = columnEdges(curve.x, window);
        return [{ curve, edges, fine, colour: typeof colour === 'string' ? colour : 'currentColor' }];
      });
      for (const { curve, edges, colour } of curves) {
        ctx.strokeStyle = ctx.fillStyle = colour;
        ctx.globalAlpha = 0.18;
        band(brush, curve, edges);
        ctx.globalAlpha = 0.4;
        if (curve.raw !== null) line(brush, curve.x, curve.raw, edges, 1);
      }
      ctx.globalAlpha = 1;
      for (const { curve, edges, fine, colour } of curves) {
        ctx.strokeStyle = ctx.fillStyle = colour;
        line(brush, curve.x, curve.y, edges, fine === true ? 1.25 : 2);
      }
      ctx.restore();
    },
  };
}
