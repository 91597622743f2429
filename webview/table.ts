/** Tables: the numbers behind every chart, for eyes and for screen readers; sorted by their headers, copied as text. */
import { element } from './dom.js';
import { outlet } from './outlet.js';
import { nextSorting, sortRows, toCsv, toMarkdown, type Sorting } from './tableText.js';

export interface Column<T> {
  readonly title: string;
  readonly text: (row: T) => string;
  /** Words are left-aligned, numbers right-aligned. */
  readonly words?: boolean;
  readonly hint?: string;
  /** What sorts the rows and stands in CSV, as it was measured; the text where it is left out. */
  readonly value?: (row: T) => number | string | null;
  /** Unit of `value` or `ends`, for the header of CSV. */
  readonly unit?: string;
  /** The ends of an interval: two columns in CSV. */
  readonly ends?: (row: T) => readonly [number, number] | null;
  /** Makes the cell a button; `null` for a row that leads nowhere. */
  readonly press?: (row: T) => { readonly hint: string; readonly run: () => void } | null;
}

interface Shown {
  readonly columns: readonly Column<unknown>[];
  /** In the order of the report. */
  readonly rows: readonly unknown[];
}

/** Newest rows by caption: what was drawn before and is the same needs no new element. */
const shown = new Map<string, Shown>();
/** How tables are sorted, by caption: a choice outlives an update of the page. */
const sortings = new Map<string, Sorting>();
const SAID_MS = 2000;

/** A table with a caption; the first column heads its row. Scrolls sideways, also by keyboard, when it is too wide. */
export function table<T>(caption: string, columns: readonly Column<T>[], rows: readonly T[]): HTMLElement {
  const all = { columns, rows } as unknown as Shown;
  shown.set(caption, all);
  const said = element('span', { role: 'status', class: 'small' });
  const copies = (
    [
      ['Copy as Markdown', toMarkdown],
      ['Copy as CSV', toCsv],
    ] as const
  ).map(([label, write]) => {
    const made = element('button', { class: 'link', 'data-focus': `${label} ${caption}` }, label);
    made.addEventListener('click', () => {
      void copy(said, write(all.columns, sorted(caption)));
    });
    return made;
  });
  const whole = element('table', {}, ...contents(caption));
  whole.addEventListener('click', ({ target }) => {
    const pressed = target instanceof Element ? target.closest('button') : null;
    if (pressed === null) return;
    const { sort, row, column } = pressed.dataset;
    if (sort !== undefined) sortBy(whole, caption, sort);
    else if (row !== undefined && column !== undefined)
      pressOf(caption, sorted(caption)[Number(row)], Number(column))?.run();
  });
  return element(
    'div',
    { class: 'table' },
    element(
      'div',
      { class: 'table-head' },
      element('span', { class: 'title', 'aria-hidden': 'true' }, caption),
      element('span', { class: 'actions' }, ...copies, said),
    ),
    element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, whole),
  );
}

function sorted(caption: string): unknown[] {
  const { columns, rows } = shown.get(caption) ?? { columns: [], rows: [] };
  return sortRows(columns, rows, sortings.get(caption) ?? null);
}

function sortBy(whole: HTMLElement, caption: string, title: string): void {
  const next = nextSorting(sortings.get(caption) ?? null, title);
  if (next === null) sortings.delete(caption);
  else sortings.set(caption, next);
  whole.replaceChildren(...contents(caption));
  for (const button of whole.querySelectorAll<HTMLElement>('button.sort'))
    if (button.dataset['sort'] === title) button.focus({ preventScroll: true });
}

function pressOf(caption: string, row: unknown, column: number) {
  return shown.get(caption)?.columns[column]?.press?.(row) ?? null;
}

function contents(caption: string): HTMLElement[] {
  const columns = shown.get(caption)?.columns ?? [];
  const by = sortings.get(caption) ?? null;
  const words = (column: Column<unknown>): string | false => (column.words === true ? 'words' : false);
  const head = columns.map((column) => {
    const { title, hint } = column;
    const order = by?.title !== title ? 'none' : by.ascending ? 'ascending' : 'descending';
    return element(
      'th',
      { scope: 'col', class: words(column), title: hint ?? false, 'aria-sort': order },
      element('button', { class: 'sort', 'data-sort': title, 'data-focus': `${title} of ${caption}` }, title),
    );
  });
  const body = sorted(caption).map((row, at) =>
    element(
      'tr',
      {},
      ...columns.map((column, index) => {
        const attributes = { class: words(column), ...(index === 0 ? { scope: 'row' } : {}) };
        return element(index === 0 ? 'th' : 'td', attributes, cell(caption, column, row, at, index));
      }),
    ),
  );
  return [
    element('caption', {}, caption),
    element('thead', {}, element('tr', {}, ...head)),
    element('tbody', {}, ...body),
  ];
}

function cell(
  caption: string,
  column: Column<unknown>,
  row: unknown,
  at: number,
  index: number,
): HTMLElement | string {
  const press = column.press?.(row) ?? null;
  if (press === null) return column.text(row);
  const place = { 'data-row': String(at), 'data-column': String(index) };
  const focus = { 'data-focus': `${at} ${index} of ${caption}` };
  return element('button', { class: 'link', title: press.hint, ...place, ...focus }, column.text(row));
}

async function copy(said: HTMLElement, text: string): Promise<void> {
  try {
    await outlet().copy(text);
    said.textContent = 'Copied';
  } catch {
    said.textContent = 'This browser does not allow copying: select the table instead';
  }
  setTimeout(() => {
    said.textContent = '';
  }, SAID_MS);
}
