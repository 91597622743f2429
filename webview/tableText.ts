/** Tables as text, and the order of their rows. Pure functions. */
import type { Column } from './table.js';

export interface Sorting {
  /** Title of the column. */
  readonly title: string;
  readonly ascending: boolean;
}

type Cell = number | string | null;

/** What a column sorts by and gives to CSV. */
export function valueOf<T>({ value, text, ends }: Column<T>, row: T): Cell {
  if (value !== undefined) return value(row);
  return ends === undefined ? text(row) : (ends(row)?.[0] ?? null);
}

/** Rising, then falling, then the order of the report again. */
export function nextSorting(now: Sorting | null, title: string): Sorting | null {
  if (now?.title !== title) return { title, ascending: true };
  return now.ascending ? { title, ascending: false } : null;
}

/** Rows in order: numbers by size, texts by alphabet, what is missing last either way. Equal rows stay as they were. */
export function sortRows<T>(columns: readonly Column<T>[], rows: readonly T[], by: Sorting | null): T[] {
  const column = columns.find(({ title }) => title === by?.title);
  if (by === null || column === undefined) return [...rows];
  const sign = by.ascending ? 1 : -1;
  const missing = (value: Cell): boolean => value === null || Number.isNaN(value);
  return rows
    .map((row) => ({ row, value: valueOf(column, row) }))
    .sort((a, b) => {
      if (missing(a.value) || missing(b.value)) return Number(missing(a.value)) - Number(missing(b.value));
      return sign * compare(a.value, b.value);
    })
    .map(({ row }) => row);
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === 'number' && typeof b === 'number') return a === b ? 0 : a < b ? -1 : 1;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

/** A table in Markdown, with the words and units of the page. */
export function toMarkdown<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const plain = (text: string): string => text.replace(/[\\|]/g, '\\$&').replace(/\s*[\r\n]+\s*/g, ' ');
  return [
    line(columns.map(({ title }) => plain(title))),
    line(columns.map(({ words }) => (words === true ? '---' : '--:'))),
    ...rows.map((row) => line(columns.map(({ text }) => plain(text(row))))),
    '',
  ].join('\n');
}

/** A table in CSV: numbers as they were measured, units in the names of columns, the ends of an interval in two of them. */
export function toCsv<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const head = columns.flatMap(({ title, unit, ends }) => {
    const inUnit = unit === undefined ? '' : ` (${unit})`;
    return ends === undefined ? [title + inUnit] : [`${title} low${inUnit}`, `${title} high${inUnit}`];
  });
  return csv([
    head,
    ...rows.map((row) =>
      columns.flatMap((column): readonly Cell[] =>
        column.ends === undefined ? [valueOf(column, row)] : (column.ends(row) ?? [null, null]),
      ),
    ),
  ]);
}

/** Lines of RFC 4180: CRLF at the end of each, quotes where a field needs them; what is missing is empty. */
export function csv(lines: readonly (readonly Cell[])[]): string {
  return lines.map((cells) => `${cells.map(field).join(',')}\r\n`).join('');
}

function field(cell: Cell): string {
  if (cell === null || (typeof cell === 'number' && !Number.isFinite(cell))) return '';
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
