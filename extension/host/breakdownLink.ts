/** The way from a hover to the bar of its line. */
export const SHOW_IN_BREAKDOWN = 'crossover.showInBreakdown';

/** Markdown of a link; `line` is from 0, as the line stands now. */
export function breakdownLink(words: string, uri: string, line: number): string {
  // A bracket would end the link.
  const query = encodeURIComponent(JSON.stringify([{ uri, line }])).replace(/[()]/g, (bracket) =>
    bracket === '(' ? '%28' : '%29',
  );
  return `[${words}](command:${SHOW_IN_BREAKDOWN}?${query})`;
}
