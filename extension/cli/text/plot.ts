/** Small line plots of characters: a marker per measured point, dots between them. */
import { type Style, styled, type Terminal } from '../terminal.js';
import { countText, significant } from './units.js';

export interface Line {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface PlotOptions {
  readonly title: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** A vertical line, e.g. the crossover. */
  readonly mark?: number | null;
  /** Without markers on the points, for curves of many points. */
  readonly plain?: boolean;
}

const MARKERS = ['●', '▲', '■', '◆', '★', '✚'] as const;
const STYLES: readonly Style[] = ['cyan', 'yellow', 'magenta', 'green', 'blue', 'red'];
const ROWS = 12;
const MARGIN = 9;

/** A plot of at most the terminal's width; '' when there are no two different places to draw. */
export function plot(terminal: Terminal, lines: readonly Line[], options: PlotOptions): string {
  const all = lines
    .flatMap(({ points }) => points)
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  const x = axis(
    all.map((point) => point.x),
    options.logX ?? false,
  );
  const y = axis(
    all.map((point) => point.y),
    options.logY ?? false,
  );
  if (x === null || y === null) return '';
  const columns = Math.min(terminal.width, 80) - MARGIN - 2;
  const cells = Array.from({ length: ROWS }, () => new Array<string>(columns).fill(' '));
  const put = (column: number, row: number, text: string, over: boolean): void => {
    const line = cells[ROWS - 1 - row];
    if (line !== undefined && column >= 0 && column < columns && (over || line[column] === ' '))
      line[column] = text;
  };
  lines.forEach(({ points }, index) => {
    const { style, marker } = lookOf(index);
    const places = points
      .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y))
      .map((point) => ({ column: x.place(point.x) * (columns - 1), row: y.place(point.y) * (ROWS - 1) }));
    places.slice(1).forEach((to, i) => {
      const from = places[i]!;
      const count = Math.max(1, Math.ceil(Math.abs(to.column - from.column)));
      for (let s = 0; s <= count; s++) {
        const share = s / count;
        const column = Math.round(from.column + (to.column - from.column) * share);
        const row = Math.round(from.row + (to.row - from.row) * share);
        put(column, row, styled(terminal, style, options.plain === true ? marker : '·'), false);
      }
    });
    if (options.plain !== true || places.length === 1)
      for (const { column, row } of places)
        put(Math.round(column), Math.round(row), styled(terminal, style, marker), true);
  });
  if (options.mark !== undefined && options.mark !== null) {
    const column = Math.round(x.place(options.mark) * (columns - 1));
    for (let row = 0; row < ROWS; row++) put(column, row, styled(terminal, 'dim', '┊'), false);
  }
  const label = (row: number): string =>
    row === 0 || row === ROWS - 1 || row === Math.floor(ROWS / 2)
      ? significant(y.value((ROWS - 1 - row) / (ROWS - 1)))
      : '';
  const body = cells.map(
    (line, row) => `${label(row).padStart(MARGIN)} ${row === ROWS - 1 ? '└' : '│'}${line.join('').trimEnd()}`,
  );
  const foot =
    ' '.repeat(MARGIN + 2) +
    ticks(
      all.map((point) => point.x),
      x,
      columns,
    );
  const head = headOf(
    terminal,
    options.title,
    lines.map(({ label: name }, index) => ({ ...lookOf(index), name })),
    options.mark !== undefined && options.mark !== null,
  );
  return `${head}\n${body.join('\n')}\n${foot}\n`;
}

interface Look {
  readonly marker: string;
  readonly style: Style;
}

/** Marker and colour of a line: no two of the first 36 have both in common. */
function lookOf(index: number): Look {
  const round = Math.floor(index / MARKERS.length);
  return {
    marker: MARKERS[index % MARKERS.length]!,
    style: STYLES[(index + round) % STYLES.length]!,
  };
}

const GAP = '   ';

/** Title and legend, on one line where they fit, else the legend on lines of its own. */
function headOf(
  terminal: Terminal,
  title: string,
  lines: readonly (Look & { readonly name: string })[],
  hasMark: boolean,
): string {
  const entries = lines.map(({ style, marker, name }) => ({
    text: `${styled(terminal, style, marker)} ${name}`,
    width: name.length + 2,
  }));
  if (hasMark) entries.push({ text: '┊ crossover', width: 11 });
  let text = styled(terminal, 'bold', title);
  let width = title.length;
  const all = entries.reduce((sum, entry) => sum + entry.width + GAP.length, title.length);
  if (all > terminal.width) width = Infinity;
  for (const entry of entries) {
    const fits = width + GAP.length + entry.width <= terminal.width;
    text += (fits ? GAP : '\n') + entry.text;
    width = fits ? width + GAP.length + entry.width : entry.width;
  }
  return text;
}

const FEW_TICKS = 8;

/** The measured places where they are few and their labels do not touch; otherwise both ends. */
function ticks(values: readonly number[], x: Axis, columns: number): string {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const label = (value: number): string =>
    Number.isInteger(value) && value < 100_000 ? String(value) : countText(value);
  const shown = distinct.length <= FEW_TICKS ? distinct : [x.low, x.high];
  let line = '';
  for (const value of shown) {
    const text = label(value);
    const centre = Math.round(x.place(value) * (columns - 1) - text.length / 2);
    const start = Math.max(0, Math.min(centre, columns - text.length));
    if (line !== '' && start <= line.length) continue;
    line = line.padEnd(start) + text;
  }
  return line;
}

interface Axis {
  readonly low: number;
  readonly high: number;
  place(value: number): number;
  value(share: number): number;
}

function axis(values: readonly number[], log: boolean): Axis | null {
  const usable = log ? values.filter((value) => value > 0) : values;
  const low = Math.min(...usable);
  const high = Math.max(...usable);
  if (usable.length === 0 || !(high > low)) return null;
  const to = log ? Math.log : (value: number) => value;
  const from = log ? Math.exp : (value: number) => value;
  return {
    low,
    high,
    place: (value) => (to(value) - to(low)) / (to(high) - to(low)),
    value: (share) => from(to(low) + share * (to(high) - to(low))),
  };
}
