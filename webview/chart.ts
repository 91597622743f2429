/** The one user of chart.js. */
import {
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
import type { ChartAxis, ChartPoint, ChartSeries, ChartSpec } from './chartSpec.js';
import { element, fill } from './dom.js';
import { readPalette, type Palette } from './theme.js';
import { linearRange, logRange, logTicks, tickText } from './ticks.js';

Chart.register(Legend, LinearScale, LineController, LineElement, LogarithmicScale, PointElement, Tooltip);

const MARKERS = ['circle', 'rectRot', 'triangle', 'rect', 'star', 'crossRot'] as const;
const FONT_STEP = 1;
/** Pixels between the legend and the plot. */
const LEGEND_GAP = 8;

/** A chart on a canvas of its own; `update` as often as there is news, `recolour` when the theme changes. */
export class ChartView {
  private readonly canvas = element('canvas', { role: 'img' });
  private readonly caption = element('figcaption', { class: 'small' });
  readonly element = element('figure', {}, element('div', { class: 'chart' }, this.canvas), this.caption);
  private chart: Chart<'line', ChartPoint[]> | null = null;
  private spec: ChartSpec | null = null;
  private palette: Palette | null = null;

  update(spec: ChartSpec): void {
    this.spec = spec;
    this.canvas.setAttribute('aria-label', spec.description);
    fill(this.caption, ...spec.caption.map((line) => element('p', {}, line)));
    this.palette ??= readPalette();
    const { data, options } = configuration(spec, this.palette);
    if (this.chart === null) {
      this.chart = new Chart(this.canvas, {
        ...configuration(spec, this.palette),
        plugins: [legendGap, this.whiskers(), this.marks()],
      });
      return;
    }
    this.chart.data = data;
    if (options !== undefined) this.chart.options = options;
    this.chart.update('none');
  }

  recolour(): void {
    this.palette = readPalette();
    if (this.spec !== null) this.update(this.spec);
  }

  /** Intervals of points. */
  private whiskers(): Plugin<'line'> {
    return {
      id: 'whiskers',
      afterDatasetsDraw: (chart) => {
        const { ctx } = chart;
        chart.data.datasets.forEach((dataset, index) => {
          if (!chart.isDatasetVisible(index)) return;
          const { x, y } = chart.scales;
          if (x === undefined || y === undefined) return;
          ctx.save();
          ctx.strokeStyle = typeof dataset.borderColor === 'string' ? dataset.borderColor : 'currentColor';
          ctx.lineWidth = 1.5;
          for (const point of dataset.data as unknown as ChartPoint[]) {
            if (point.interval === undefined || point.interval === null) continue;
            const at = x.getPixelForValue(point.x);
            const [low, high] = point.interval.map((value) => y.getPixelForValue(value));
            if (low === undefined || high === undefined || Math.abs(low - high) < 2) continue;
            ctx.beginPath();
            for (const end of [low, high]) {
              ctx.moveTo(at - 4, end);
              ctx.lineTo(at + 4, end);
            }
            ctx.moveTo(at, low);
            ctx.lineTo(at, high);
            ctx.stroke();
          }
          ctx.restore();
        });
      },
    };
  }

  /** Where curves cross (line and interval), and the level of guessing. */
  private marks(): Plugin<'line'> {
    return {
      id: 'marks',
      beforeDatasetsDraw: (chart) => {
        const { ctx, chartArea } = chart;
        const { x, y } = chart.scales;
        const { spec, palette } = this;
        if (spec === null || palette === null || x === undefined || y === undefined) return;
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
}

/** Keeps the legend off the topmost tick. */
const legendGap: Plugin<'line'> = {
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

/** Entries of the legend as their curves are drawn: a marker, or a line where the curve has no markers. */
function legendItems(chart: Chart): LegendItem[] {
  return Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => {
    const shown = chart.data.datasets[item.datasetIndex ?? 0] as ChartDataset<'line'> | undefined;
    return shown?.pointRadius === 0 ? { ...item, pointStyle: 'line', lineWidth: 3 } : item;
  });
}

function configuration(spec: ChartSpec, palette: Palette): ChartConfiguration<'line', ChartPoint[]> {
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
  const xs = points.map(({ x }) => x);
  const ys = points.flatMap(({ y, interval }) => [y, ...(interval ?? [])]);
  return {
    type: 'line',
    data: { datasets: spec.series.map((series) => dataset(series, palette)) },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      parsing: false,
      normalized: true,
      interaction: { mode: 'nearest', axis: 'x', intersect: false },
      scales: { x: { ...scale(spec.x, xs), ...(spec.x.log ? {} : linearRange(xs)) }, y: scale(spec.y, ys) },
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
            generateLabels: legendItems,
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
              const interval =
                point.interval === undefined || point.interval === null
                  ? ''
                  : ` (${spec.y.format(point.interval[0])} to ${spec.y.format(point.interval[1])})`;
              return `${item.dataset.label ?? ''}: ${spec.y.format(point.y)}${interval}`;
            },
          },
        },
      },
    },
  };
}

function dataset(series: ChartSeries, palette: Palette): ChartDataset<'line', ChartPoint[]> {
  const colour = palette.series[series.model % palette.series.length] ?? palette.foreground;
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
  };
}
