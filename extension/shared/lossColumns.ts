/** Training losses by columns: what crosses to the webview, and what its charts are drawn from. */
import { decimate } from './decimate.js';
import type { LossCurve, LossPoint, Report } from './report.js';

/** Equally long columns, one row per step, in the order of the steps. */
export interface LossColumns {
  readonly step: Float64Array;
  readonly tokens: Float64Array;
  readonly seconds: Float64Array;
  /** Nats per token; NaN where there was no number. */
  readonly loss: Float64Array;
}

export const LOSS_COLUMN_NAMES = ['step', 'tokens', 'seconds', 'loss'] as const;

/** Names a curve within a report. */
export function curveKey({ model, seed }: Pick<LossCurve, 'model' | 'seed'>): string {
  return JSON.stringify([model, seed]);
}

/** Columns of points from `from` to `to`. */
export function columnsOf(points: readonly LossPoint[], from = 0, to = points.length): LossColumns {
  const column = (name: keyof LossPoint): Float64Array => {
    const values = new Float64Array(Math.max(0, to - from));
    for (let i = 0; i < values.length; i++) {
      // A number that was not finite is `null` in a log.
      const value: unknown = points[from + i]![name];
      values[i] = typeof value === 'number' && Number.isFinite(value) ? value : NaN;
    }
    return values;
  };
  return { step: column('step'), tokens: column('tokens'), seconds: column('seconds'), loss: column('loss') };
}

/** Columns that grow by what is appended; room doubles, so that appending all of n rows copies at most 2n. */
export class GrowingColumns implements LossColumns {
  #room: Record<keyof LossColumns, Float64Array> = {
    step: new Float64Array(64),
    tokens: new Float64Array(64),
    seconds: new Float64Array(64),
    loss: new Float64Array(64),
  };
  #length = 0;

  get length(): number {
    return this.#length;
  }
  get step(): Float64Array {
    return this.#room.step.subarray(0, this.#length);
  }
  get tokens(): Float64Array {
    return this.#room.tokens.subarray(0, this.#length);
  }
  get seconds(): Float64Array {
    return this.#room.seconds.subarray(0, this.#length);
  }
  get loss(): Float64Array {
    return this.#room.loss.subarray(0, this.#length);
  }

  append(rows: LossColumns): void {
    const length = this.#length + rows.loss.length;
    for (const name of LOSS_COLUMN_NAMES) {
      if (length > this.#room[name].length) {
        const larger = new Float64Array(Math.max(length, 2 * this.#room[name].length));
        larger.set(this.#room[name].subarray(0, this.#length));
        this.#room[name] = larger;
      }
      this.#room[name].set(rows[name], this.#length);
    }
    this.#length = length;
  }
}

/** The report without its training losses, but for the last of each curve: small, however long the run. */
export function withoutPoints(report: Report): Report {
  return { ...report, loss: report.loss.map((curve) => ({ ...curve, points: curve.points.slice(-1) })) };
}

/**
 * The report with at most `most` training losses of all curves together: longer curves keep the first, lowest, highest and last loss
 * of even stretches of steps, and say that they are thinned.
 */
export function thinned(report: Report, most: number): Report {
  const total = report.loss.reduce((sum, { points }) => sum + points.length, 0);
  if (total <= most) return report;
  const columns = Math.max(1, Math.floor(most / (4 * report.loss.length)));
  const loss = report.loss.map((curve): LossCurve => {
    const { step, loss } = columnsOf(curve.points);
    if (step.length <= 4 * columns) return curve;
    const window = { from: step[0]!, to: step[step.length - 1]!, log: false, columns };
    const points = Array.from(decimate(step, loss, window), (index) => curve.points[index]!);
    return { ...curve, points, thinned: true };
  });
  return { ...report, loss };
}
