/** Training losses as the host has sent them so far. Nothing here matters: the host sends all of it again when asked. */
import { curveKey, GrowingColumns, type LossColumns } from '../extension/shared/lossColumns.js';
import type { Report } from '../extension/shared/report.js';

export class LossStore {
  private id: string | null = null;
  private curves = new Map<string, GrowingColumns>();

  /** Forgets the losses of another report. */
  keep({ id }: Report): void {
    if (id !== this.id) this.curves.clear();
    this.id = id;
  }

  /** Takes rows that follow those known; rows from the start replace them; others have come twice, and are passed over. */
  add(curve: string, from: number, rows: LossColumns): void {
    const known = from === 0 ? new GrowingColumns() : this.curves.get(curve);
    if (known === undefined || known.length !== from) return;
    known.append(rows);
    this.curves.set(curve, known);
  }

  /** Columns of the curves of a report, in their order. */
  of({ loss }: Report): LossColumns[] {
    return loss.map((curve) => this.curves.get(curveKey(curve)) ?? new GrowingColumns());
  }
}
