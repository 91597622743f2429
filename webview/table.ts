/** Tables: the numbers behind every chart, for eyes and for screen readers. */
import { element } from './dom.js';

export interface Column<T> {
  readonly title: string;
  readonly text: (row: T) => string;
  /** Words are left-aligned, numbers right-aligned. */
  readonly words?: boolean;
  readonly hint?: string;
}

/** A table with a caption; the first column heads its row. Scrolls sideways, also by keyboard, when it is too wide. */
export function table<T>(caption: string, columns: readonly Column<T>[], rows: readonly T[]): HTMLElement {
  const head = element(
    'tr',
    {},
    ...columns.map(({ title, words, hint }) =>
      element('th', { scope: 'col', class: words === true ? 'words' : false, title: hint ?? false }, title),
    ),
  );
  const body = rows.map((row) =>
    element(
      'tr',
      {},
      ...columns.map(({ text, words }, index) =>
        index === 0
          ? element('th', { scope: 'row', class: words === true ? 'words' : false }, text(row))
          : element('td', { class: words === true ? 'words' : false }, text(row)),
      ),
    ),
  );
  return element(
    'div',
    { class: 'table', tabindex: '0', role: 'region', 'aria-label': caption },
    element(
      'table',
      {},
      element('caption', {}, caption),
      element('thead', {}, head),
      element('tbody', {}, ...body),
    ),
  );
}
