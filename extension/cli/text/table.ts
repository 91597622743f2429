/** Tables for a terminal: the first column to the left, the others to the right. */
import { styled, type Terminal } from '../terminal.js';

/** Lines of a table with a heading and a rule. Cells that are too wide for the terminal are cut, the first column first. */
export function table(
  terminal: Terminal,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const excess = widths.reduce((sum, width) => sum + width + 2, -2) - terminal.width;
  if (excess > 0) widths[0] = Math.max(12, widths[0]! - excess);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column]!;
        const shown = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell;
        return column === 0 ? shown.padEnd(width) : shown.padStart(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  return (
    [styled(terminal, 'bold', line(heading)), styled(terminal, 'dim', rule), ...rows.map(line)].join('\n') +
    '\n'
  );
}
