/** Which training losses a page has been sent: each row goes over once, however often a run reports. */
import type { HostMessage } from '../shared/protocol.js';
import { columnsOf, curveKey } from '../shared/lossColumns.js';
import type { Report } from '../shared/report.js';

/** Rows of one message: 2 MB. */
const MOST_ROWS = 1 << 16;

export class LossSender {
  private id: string | null = null;
  private readonly sent = new Map<string, number>();

  /** The page has nothing any more. */
  forget(): void {
    this.sent.clear();
  }

  /** Messages with the rows of a report that were not sent yet. */
  *next({ id, loss }: Report): Generator<Extract<HostMessage, { type: 'losses' }>> {
    if (id !== this.id) this.forget();
    this.id = id;
    for (const line of loss) {
      const curve = curveKey(line);
      const { points } = line;
      for (let from = this.sent.get(curve) ?? 0; from < points.length;) {
        const to = Math.min(points.length, from + MOST_ROWS);
        yield { type: 'losses', id, curve, from, rows: columnsOf(points, from, to) };
        this.sent.set(curve, to);
        from = to;
      }
    }
  }
}
