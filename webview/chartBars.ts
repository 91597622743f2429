/** Stacked bars for chart.js: a stack per model, shades for its parts, a legend that says both. */
import type { ChartConfiguration, LegendItem } from 'chart.js';
import type { BarSpec } from './chartSpec.js';
import { MARKERS, seriesColour, type Palette } from './theme.js';
import { tickText } from './ticks.js';

/** How much of its colour a part has; the rest is background. */
const SHADES = [100, 60, 28] as const;

function shade(colour: string, part: number, { background }: Palette): string {
  return `color-mix(in srgb, ${colour} ${SHADES[part] ?? SHADES.at(-1)}%, ${background})`;
}

export function barConfiguration(
  spec: BarSpec,
  palette: Palette,
): ChartConfiguration<'bar', (number | null)[], string> {
  const font = { family: palette.font, size: palette.fontSize - 1 };
  const colour = palette.foreground;
  const title = (text: string) => ({ display: true, text, color: colour, font });
  return {
    type: 'bar',
    data: {
      labels: spec.x.values.map(spec.x.format),
      datasets: spec.bars.flatMap(({ label, model, values }) =>
        spec.parts.map((part, index) => {
          const own = seriesColour(palette, model);
          const backgroundColor = shade(own, index, palette);
          return {
            label: `${label}, ${part.toLowerCase()}`,
            data: values.map((parts) => parts?.[index] ?? null),
            stack: label,
            backgroundColor,
            hoverBackgroundColor: backgroundColor,
            borderColor: own,
            borderWidth: 1,
            borderSkipped: false,
            maxBarThickness: 48,
            pointStyle: MARKERS[model % MARKERS.length] ?? 'circle',
          };
        }),
      ),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', intersect: true },
      scales: {
        x: {
          stacked: true,
          title: title(spec.x.label),
          ticks: { color: colour, font, maxRotation: 0 },
          grid: { display: false },
          border: { color: palette.grid },
        },
        y: {
          stacked: true,
          beginAtZero: true,
          grace: '8%',
          title: title(spec.y.label),
          ticks: {
            color: colour,
            font,
            callback: (value) => tickText(spec.y.format(Number(value))),
            includeBounds: false,
          },
          grid: { color: palette.grid },
          border: { color: palette.grid },
        },
      },
      plugins: {
        legend: {
          position: 'top',
          align: 'start',
          onClick: () => undefined,
          labels: {
            color: colour,
            font,
            usePointStyle: true,
            boxHeight: 7,
            padding: 14,
            generateLabels: () => legend(spec, palette),
          },
        },
        tooltip: {
          backgroundColor: palette.background,
          titleColor: colour,
          bodyColor: colour,
          borderColor: colour,
          borderWidth: 1,
          titleFont: font,
          bodyFont: font,
          callbacks: {
            title: ([first]) => (first === undefined ? '' : `${spec.x.label}: ${first.label}`),
            label: (item) => `${item.dataset.label ?? ''}: ${spec.y.format(Number(item.raw))}`,
          },
        },
      },
    },
  };
}

/** Models by colour and marker, then what the shades stand for, from the lowest part up. */
function legend(spec: BarSpec, palette: Palette): LegendItem[] {
  const common = { fontColor: palette.foreground, lineWidth: 1 };
  return [
    ...spec.bars.map(({ label, model }): LegendItem => {
      const own = seriesColour(palette, model);
      const pointStyle = MARKERS[model % MARKERS.length] ?? 'circle';
      return { ...common, text: label, fillStyle: own, strokeStyle: own, lineWidth: 2, pointStyle };
    }),
    ...spec.parts.map((part, index): LegendItem => ({
      ...common,
      text: part,
      fillStyle: shade(palette.foreground, index, palette),
      strokeStyle: palette.foreground,
      pointStyle: 'rect',
    })),
  ];
}
