/** Where measured lines stand while their file is edited, and which of them are no longer what was measured. Pure. */

/** An edit: lines `start` to `end` (from 0) became `lines` lines. */
export interface LineEdit {
  readonly start: number;
  readonly end: number;
  readonly lines: number;
}

/** The text of a line (from 0); `undefined` beyond the end. */
export type TextAt = (line: number) => string | undefined;

/** Where a line (from 0) stands after an edit; a line inside what was replaced moves to its last line. */
export function moveLine(line: number, edit: LineEdit): number {
  if (line > edit.end) return line + edit.lines - (edit.end - edit.start + 1);
  return Math.min(line, edit.start + edit.lines - 1);
}

export interface Place {
  /** From 0; `null` for a line that is gone. */
  readonly line: number | null;
  /** The line is not the measured text at the measured place. */
  readonly stale: boolean;
}

/** How far from where a line is expected its text is looked for. */
const REACH = 3;
/** The same when nothing is known of the edits: the file was changed while nobody watched. */
const FAR = 200;

export class LineTracker {
  private current: Place[];

  /** @param measured line (from 0) and its text when it was measured; `null` where that is not known. */
  constructor(
    private readonly measured: readonly { readonly line: number; readonly text: string | null }[],
    textAt: TextAt,
  ) {
    this.current = measured.map(({ line }) => ({ line, stale: true }));
    this.settle(textAt, FAR);
  }

  /** One place per measured line, in their order. */
  get places(): readonly Place[] {
    return this.current;
  }

  /** Follows edits, in the order they are told; `textAt` reads the file after them. */
  edit(edits: readonly LineEdit[], textAt: TextAt): void {
    for (const edit of edits)
      this.current = this.current.map(({ line, stale }) => ({
        line: line === null ? null : moveLine(line, edit),
        stale,
      }));
    // Where no line came or went, a line whose text is another now was edited, and did not move to a twin of it.
    const isMoved = edits.some(({ start, end, lines }) => lines !== end - start + 1);
    this.settle(textAt, isMoved ? REACH : 0);
  }

  /** A line that stands as it was measured is fresh, however it came back; every other one is stale. */
  private settle(textAt: TextAt, reach: number): void {
    let shift = 0;
    this.current = this.measured.map(({ line, text }, index) => {
      if (text === null) {
        const at = this.current[index]?.line ?? line;
        return { line: textAt(at) === undefined ? null : at, stale: true };
      }
      if (textAt(line) === text) return { line, stale: false };
      const expected = this.current[index]?.line ?? line + shift;
      const found = [expected, line + shift]
        .map((at) => nearest(textAt, at, text, reach))
        .find((at) => at !== null);
      if (found !== undefined && found !== null) shift = found - line;
      // Text that is nowhere near was edited, where its line is still one; blank lines cost nothing and show nothing.
      const edited = textAt(expected)?.trim() ?? '';
      return { line: found ?? (edited === '' ? null : expected), stale: true };
    });
    this.dropDoubles();
  }

  /** Two lines at one place: the one that is fresh, else the first, keeps it. */
  private dropDoubles(): void {
    const taken = new Map<number, number>();
    this.current.forEach(({ line, stale }, index) => {
      if (line !== null && (!taken.has(line) || !stale)) taken.set(line, index);
    });
    this.current = this.current.map((place, index) =>
      place.line !== null && taken.get(place.line) !== index ? { line: null, stale: true } : place,
    );
  }
}

/** The line with this text that is nearest to where it is expected, at most `reach` away. */
function nearest(textAt: TextAt, expected: number, text: string, reach: number): number | null {
  for (let distance = 0; distance <= reach; distance++)
    for (const at of distance === 0 ? [expected] : [expected + distance, expected - distance])
      if (at >= 0 && textAt(at) === text) return at;
  return null;
}
