/** The one user of chart.js, with the configurations of `chartBars.ts`. */
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  Tooltip,
  type ChartConfiguration,
  type ChartDataset,
  type LegendItem,
  type Plugin,
  type Scale,
} from 'chart.js';
import { drawPoint } from 'chart.js/helpers';
import { fileNameOf, type SavedFile } from '../extension/shared/protocol.js';
import { barConfiguration } from './chartBars.js';
import type { BarSpec, ChartAxis, ChartPoint, ChartSeries, ChartSpec } from './chartSpec.js';
import { chartCsv, headingOf } from './chartText.js';
import { denseLines, hoverPoints } from './denseLines.js';
import { element, fill } from './dom.js';
import { verticalRange, wholeRange } from './lineRange.js';
import { outlet } from './outlet.js';
import { pngOf } from './picture.js';
import { MARKERS, readPalette, seriesColour, type Palette } from './theme.js';
import { logRange, logTicks, tickText } from './ticks.js';
import type { AxisRange } from './zoom.js';
import { ZoomTools } from './zoomTools.js';

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, LineController, LineElement);
Chart.register(LogarithmicScale, PointElement, Tooltip);

const FONT_STEP = 1;
/** Pixels between the legend and the plot. */
const LEGEND_GAP = 8;
const BAND_ALPHA = 0.18;

/** A chart on a canvas of its own; `update` as often as there is news, `recolour` when the theme changes. */
export class ChartView {
  private readonly canvas = element('canvas', { role: 'img' });
  private readonly caption = element('figcaption', { class: 'small' });
  private readonly zoom = new ZoomTools({
    surface: this.canvas,
    axis: () => {
      const spec = zoomable(this.spec);
      const all = spec === null ? null : wholeRange(spec);
      return all === null ? null : { all, log: spec?.x.log === true };
    },
    area: () => {
      const { left = 0, right = 1 } = this.chart?.chartArea ?? {};
      return { left, width: right - left };
    },
    show: (range, resting) => {
      this.look(range, resting);
    },
  });
  readonly element = element(
    'figure',
    {},
    element('div', { class: 'chart' }, this.canvas),
    this.zoom.element,
    this.caption,
    element(
      'div',
      { class: 'actions' },
      link('Save as PNG', () => {
        this.save('png');
      }),
      link('Save as CSV', () => {
        this.save('csv');
      }),
    ),
  );
  private chart: Chart | null = null;
  private spec: ChartSpec | BarSpec | null = null;
  private palette: Palette | null = null;

  update(spec: ChartSpec | BarSpec): void {
    const same = this.spec !== null && 'bars' in this.spec === 'bars' in spec;
    const [before, after] = [zoomable(this.spec), zoomable(spec)];
    if (before?.x.label !== after?.x.label || before?.x.log !== after?.x.log) this.zoom.forget();
    this.spec = spec;
    this.zoom.element.hidden = after === null;
    this.canvas.tabIndex = after === null ? -1 : 0;
    this.canvas.setAttribute('aria-label', spec.description);
    fill(this.caption, ...spec.caption.map((line) => element('p', {}, line)));
    this.palette ??= readPalette();
    const made = configuration(spec, this.palette, this.zoom.shown);
    if (this.chart !== null && same) {
      this.chart.data = made.data;
      if (made.options !== undefined) this.chart.options = made.options;
      this.chart.update('none');
      return;
    }
    this.chart?.destroy();
    const drawn = (): Drawn => ({ spec: this.spec ?? spec, palette: this.palette ?? readPalette() });
    this.chart = new Chart(this.canvas, { ...made, plugins: pluginsOf(spec, drawn) });
  }

  /** Shows a part of the horizontal axis; while it moves, without the points that a pointer rests on. */
  private look(range: AxisRange | null, resting: boolean): void {
    const { chart } = this;
    const spec = zoomable(this.spec);
    const shown = spec === null ? null : (range ?? wholeRange(spec));
    const { x, y } = chart?.options.scales ?? {};
    if (chart === null || spec === null || shown === null || x === undefined || y === undefined) return;
    Object.assign(x, shown);
    Object.assign(y, verticalRange(spec, shown) ?? {});
    spec.series.forEach(({ curve }, index) => {
      const dataset = chart.data.datasets[index];
      if (curve === undefined || dataset === undefined) return;
      dataset.data = resting ? hoverPoints(curve, shown, spec.x.log) : [];
    });
    chart.update('none');
  }

  private save(kind: SavedFile['kind']): void {
    const { spec, palette } = this;
    if (spec === null || palette === null) return;
    const title = outlet().title();
    const heading = headingOf(spec);
    const name = 'bars' in spec ? spec.parts.join(', ') : spec.y.label;
    const plot = (width: number, height: number, scale: number): HTMLCanvasElement =>
      plotOf(configuration(spec, palette, this.zoom.shown), () => ({ spec, palette }), {
        width,
        height,
        scale,
      });
    const data =
      kind === 'csv' ? chartCsv(spec) : pngOf({ title, heading, caption: spec.caption, plot }, palette);
    outlet().save({ kind, name: fileNameOf(`${title}, ${name}`, kind), data });
  }

  recolour(): void {
    this.palette = readPalette();
    if (this.spec !== null) this.update(this.spec);
  }
}

/** The chart where its horizontal axis can be zoomed. */
function zoomable(spec: ChartSpec | BarSpec | null): ChartSpec | null {
  return spec === null || 'bars' in spec || spec.zoom !== true ? null : spec;
}

/** The plot by itself, on a canvas of its own. */
function plotOf(
  made: ChartConfiguration,
  drawn: () => Drawn,
  size: { readonly width: number; readonly height: number; readonly scale: number },
): HTMLCanvasElement {
  const canvas = element('canvas', { width: String(size.width), height: String(size.height) });
  const options = { ...made.options, responsive: false, devicePixelRatio: size.scale };
  const chart = new Chart(canvas, { ...made, options, plugins: pluginsOf(drawn().spec, drawn) });
  const copy = element('canvas', { width: String(canvas.width), height: String(canvas.height) });
  copy.getContext('2d')?.drawImage(canvas, 0, 0);
  chart.destroy();
  return copy;
}

function link(label: string, pressed: () => void): HTMLElement {
  const made = element('button', { class: 'link' }, label);
  made.addEventListener('click', pressed);
  return made;
}

interface Drawn {
  readonly spec: ChartSpec | BarSpec;
  readonly palette: Palette;
}

function pluginsOf(spec: ChartSpec | BarSpec, drawn: () => Drawn): Plugin[] {
  return 'bars' in spec ? [legendGap, barMarkers] : [legendGap, intervals, dense(drawn), marks(drawn)];
}

/** Lines of many points. */
function dense(drawn: () => Drawn): Plugin {
  return denseLines(() => {
    const { spec } = drawn();
    return 'bars' in spec ? null : spec;
  });
}

/** Intervals of points: a band behind a line, a whisker at a point that stands alone. */
const intervals: Plugin = {
  id: 'intervals',
  beforeDatasetsDraw: (chart) => {
    const { ctx, chartArea } = chart;
    const { x, y } = chart.scales;
    if (x === undefined || y === undefined) return;
    const across = (value: number): number => x.getPixelForValue(value);
    const up = (value: number): number => y.getPixelForValue(Math.min(y.max, Math.max(y.min, value)));
    chart.data.datasets.forEach((dataset, index) => {
      if (!chart.isDatasetVisible(index)) return;
      const points = (dataset.data as unknown as ChartPoint[]).flatMap(({ x: at, interval }) =>
        interval === undefined || interval === null ? [] : [{ at, low: interval[0], high: interval[1] }],
      );
      const [first] = points;
      if (first === undefined) return;
      ctx.save();
      ctx.beginPath();
      ctx.rect(chartArea.left, chartArea.top, chartArea.width, chartArea.height);
      ctx.clip();
      const colour = typeof dataset.borderColor === 'string' ? dataset.borderColor : 'currentColor';
      ctx.strokeStyle = colour;
      ctx.fillStyle = colour;
      ctx.beginPath();
      if (points.length === 1) {
        ctx.lineWidth = 1.5;
        for (const end of [first.low, first.high]) {
          ctx.moveTo(across(first.at) - 4, up(end));
          ctx.lineTo(across(first.at) + 4, up(end));
        }
        ctx.moveTo(across(first.at), up(first.low));
        ctx.lineTo(across(first.at), up(first.high));
        ctx.stroke();
      } else {
        ctx.globalAlpha = BAND_ALPHA;
        for (const { at, low } of points) ctx.lineTo(across(at), up(low));
        for (const { at, high } of [...points].reverse()) ctx.lineTo(across(at), up(high));
        ctx.closePath();
        ctx.fill();
      }
      ctx.restore();
    });
  },
};

/** Markers of models on top of their bars, as on their lines. */
const barMarkers: Plugin = {
  id: 'barMarkers',
  afterDatasetsDraw: (chart) => {
    const tops = new Map<string, { x: number; y: number; index: number }>();
    chart.data.datasets.forEach((dataset, index) => {
      const stack = 'stack' in dataset ? dataset.stack : undefined;
      for (const [category, bar] of chart.getDatasetMeta(index).data.entries())
        if (typeof dataset.data[category] === 'number')
          tops.set(`${category} ${stack}`, { x: bar.x, y: bar.y, index });
    });
    for (const { x, y, index } of tops.values()) {
      const dataset = chart.data.datasets[index];
      if (dataset === undefined || typeof dataset.borderColor !== 'string') continue;
      chart.ctx.save();
      chart.ctx.fillStyle = dataset.borderColor;
      chart.ctx.strokeStyle = dataset.borderColor;
      const pointStyle =
        'pointStyle' in dataset ? (dataset.pointStyle as (typeof MARKERS)[number]) : 'circle';
      drawPoint(chart.ctx, { pointStyle, radius: 4.5, borderWidth: 2 }, x, y - 8);
      chart.ctx.restore();
    }
  },
};

/** Where curves cross (line and interval), and the level of guessing. */
function marks(drawn: () => Drawn): Plugin {
  return {
    id: 'marks',
    beforeDatasetsDraw: (chart) => {
      const { ctx, chartArea } = chart;
      const { x, y } = chart.scales;
      const { spec, palette } = drawn();
      if ('bars' in spec || x === undefined || y === undefined) return;
      ctx.save();
      ctx.font = `${palette.fontSize - FONT_STEP}px ${palette.font}`;
      ctx.fillStyle = palette.foreground;
      ctx.strokeStyle = palette.foreground;
      for (const [index, mark] of spec.marks.entries()) {
        const at = x.getPixelForValue(mark.at);
        if (!(at >= chartArea.left && at <= chartArea.right)) continue;
        if (mark.interval !== null) {
          const [from, to] = mark.interval.map((value) =>
            Math.min(chartArea.right, Math.max(chartArea.left, x.getPixelForValue(value))),
          );
          ctx.globalAlpha = 0.12;
          ctx.fillRect(from ?? at, chartArea.top, (to ?? at) - (from ?? at), chartArea.height);
          ctx.globalAlpha = 1;
        }
        ctx.setLineDash([5, 4]);
        ctx.beginPath();
        ctx.moveTo(at, chartArea.top);
        ctx.lineTo(at, chartArea.bottom);
        ctx.stroke();
        const width = ctx.measureText(mark.label).width;
        const right = at + 6 + width <= chartArea.right;
        ctx.textAlign = right ? 'left' : 'right';
        ctx.fillText(mark.label, right ? at + 6 : at - 6, chartArea.top + 14 + 16 * index);
      }
      if (spec.level !== null) {
        const at = y.getPixelForValue(spec.level.at);
        ctx.setLineDash([2, 3]);
        ctx.beginPath();
        ctx.moveTo(chartArea.left, at);
        ctx.lineTo(chartArea.right, at);
        ctx.stroke();
        ctx.textAlign = 'right';
        ctx.fillText(spec.level.label, chartArea.right - 4, at - 5);
      }
      ctx.restore();
    },
  };
}

/** Keeps the legend off the topmost tick. */
const legendGap: Plugin = {
  id: 'legendGap',
  beforeInit: ({ legend }) => {
    if (legend === undefined) return;
    const held = legend as unknown as { fit: () => void; height: number };
    const fit = held.fit.bind(held);
    held.fit = () => {
      fit();
      held.height += LEGEND_GAP;
    };
  },
};

/** Entries of the legend as their curves are drawn: a marker, or a line where the curve has no markers; one for a group. */
function legendItems(spec: ChartSpec): (chart: Chart) => LegendItem[] {
  return (chart) =>
    Chart.defaults.plugins.legend.labels.generateLabels(chart).flatMap((item) => {
      const index = item.datasetIndex ?? 0;
      const group = spec.series[index]?.group;
      if (group !== undefined && spec.series.findIndex((one) => one.group === group) < index) return [];
      const shown = chart.data.datasets[index] as ChartDataset<'line'> | undefined;
      const named = { ...item, text: group ?? item.text };
      return [shown?.pointRadius === 0 ? { ...named, pointStyle: 'line' as const, lineWidth: 3 } : named];
    });
}

/** Shows or hides what an entry of the legend stands for. */
function toggle(spec: ChartSpec, chart: Chart, item: LegendItem): void {
  const index = item.datasetIndex ?? 0;
  const group = spec.series[index]?.group;
  const visible = !chart.isDatasetVisible(index);
  spec.series.forEach((series, other) => {
    if (other === index || (group !== undefined && series.group === group))
      chart.setDatasetVisibility(other, visible);
  });
  chart.update('none');
}

function configuration(
  spec: ChartSpec | BarSpec,
  palette: Palette,
  zoom: AxisRange | null,
): ChartConfiguration {
  return 'bars' in spec ? barConfiguration(spec, palette) : lineConfiguration(spec, palette, zoom);
}

function lineConfiguration(
  spec: ChartSpec,
  palette: Palette,
  zoom: AxisRange | null,
): ChartConfiguration<'line', ChartPoint[]> {
  const shown = zoom ?? wholeRange(spec);
  const vertical = shown === null ? null : verticalRange(spec, shown);
  const font = { family: palette.font, size: palette.fontSize - FONT_STEP };
  const scale = (axis: ChartAxis, values: readonly number[]) => ({
    type: axis.log ? ('logarithmic' as const) : ('linear' as const),
    ...(axis.log ? logRange(values) : { grace: '4%' }),
    title: { display: true, text: axis.label, color: palette.foreground, font },
    ticks: {
      color: palette.foreground,
      font,
      maxRotation: 0,
      autoSkip: true,
      autoSkipPadding: 12,
      callback: (value: string | number) => tickText(axis.format(Number(value))),
      includeBounds: false,
    },
    grid: { color: palette.grid },
    border: { color: palette.grid },
    ...(axis.log
      ? {
          afterBuildTicks: (built: Scale) => {
            const ticks = axis.ticks ?? logTicks(built.min, built.max);
            built.ticks = ticks.map((value) => ({ value }));
          },
        }
      : {}),
  });
  const points = spec.series.flatMap((series) => series.points);
  const ys = points.flatMap(({ y, interval }) => [y, ...(interval ?? [])]);
  return {
    type: 'line',
    data: {
      datasets: spec.series.map((series) => ({
        ...dataset(series, palette),
        ...(series.curve === undefined || shown === null
          ? {}
          : { data: hoverPoints(series.curve, shown, spec.x.log) }),
      })),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      parsing: false,
      normalized: true,
      interaction: { mode: 'nearest', axis: 'x', intersect: false },
      scales: { x: { ...scale(spec.x, []), ...shown }, y: { ...scale(spec.y, ys), ...vertical } },
      plugins: {
        legend: {
          position: 'top',
          align: 'start',
          labels: {
            color: palette.foreground,
            font,
            usePointStyle: true,
            boxHeight: 7,
            padding: 14,
            generateLabels: legendItems(spec),
          },
          onClick: (_, item, { chart }) => {
            toggle(spec, chart, item);
          },
        },
        tooltip: {
          backgroundColor: palette.background,
          titleColor: palette.foreground,
          bodyColor: palette.foreground,
          borderColor: palette.foreground,
          borderWidth: 1,
          titleFont: font,
          bodyFont: font,
          usePointStyle: true,
          callbacks: {
            title: ([first]) =>
              first === undefined ? '' : `${spec.x.label}: ${spec.x.format(first.parsed.x ?? NaN)}`,
            label: (item) => {
              const point = item.raw as ChartPoint;
              const ends = point.interval ?? point.within ?? null;
              const interval =
                ends === null ? '' : ` (${spec.y.format(ends[0])} to ${spec.y.format(ends[1])})`;
              return `${item.dataset.label ?? ''}: ${spec.y.format(point.y)}${interval}`;
            },
          },
        },
      },
    },
  };
}

function dataset(series: ChartSeries, palette: Palette): ChartDataset<'line', ChartPoint[]> {
  const colour = seriesColour(palette, series.model);
  const markers = series.markers ?? true;
  return {
    label: series.label,
    data: [...series.points],
    borderColor: colour,
    backgroundColor: colour,
    borderWidth: series.fine === true ? 1.25 : 2,
    borderDash: series.dashed === true ? [6, 4] : [],
    pointStyle: MARKERS[series.model % MARKERS.length] ?? 'circle',
    pointRadius: markers ? 4.5 : 0,
    pointHoverRadius: markers ? 6 : 4,
    pointHitRadius: 8,
    showLine: series.curve === undefined,
  };
}
