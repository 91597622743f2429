/** What timings of steps and of decoding share: events are collected per (model, context), an A/A control beside the measurement. */
import type { Series } from './events.js';

interface Place {
  readonly model: string;
  readonly context: number;
}

export interface Cell<P, S> extends Place {
  /** What was known before the first sample. */
  point: P | null;
  readonly main: S[];
  readonly control: S[];
}

type Measured<P, S> = Cell<P, S> & { point: P };

/** Samples of the A/A control, round by round. */
export interface ControlSeries extends Place {
  readonly main: number[];
  readonly second: number[];
}

export class Cells<P extends Place, S extends Place & { readonly series: Series }> {
  readonly #cells = new Map<string, Cell<P, S>>();

  /** The cell of a place, made when it is first named. */
  at({ model, context }: Place): Cell<P, S> {
    const key = `${context} ${model}`;
    const cell = this.#cells.get(key) ?? { model, context, point: null, main: [], control: [] };
    this.#cells.set(key, cell);
    return cell;
  }

  addSample(sample: S): void {
    this.at(sample)[sample.series].push(sample);
  }

  /** Cells with a point and at least one sample, in the order they were first named. */
  measured(): Measured<P, S>[] {
    return [...this.#cells.values()].filter(
      (cell): cell is Measured<P, S> => cell.point !== null && cell.main.length > 0,
    );
  }

  /** The A/A controls, by the milliseconds of a sample. */
  controls(ms: (sample: S) => number): ControlSeries[] {
    return [...this.#cells.values()]
      .filter(({ control, main }) => control.length > 0 && main.length > 0)
      .map(({ model, context, main, control }) => ({
        model,
        context,
        main: main.map(ms),
        second: control.map(ms),
      }));
  }
}
