/** Collects decoding events per (model, context) and turns them into points. */
import type { DecodePoint } from '../../shared/report.js';
import { estimate } from '../stats/estimate.js';
import type { DecodePointEvent, DecodeSampleEvent } from './events.js';

interface Cell {
  point: DecodePointEvent | null;
  readonly main: DecodeSampleEvent[];
  readonly control: DecodeSampleEvent[];
}

export class DecodeTable {
  readonly #cells = new Map<string, Cell>();

  add(event: DecodePointEvent | DecodeSampleEvent): void {
    const key = `${event.context} ${event.model}`;
    const cell = this.#cells.get(key) ?? { point: null, main: [], control: [] };
    this.#cells.set(key, cell);
    if (event.type === 'decodePoint') cell.point = event;
    else cell[event.series].push(event);
  }

  /** One point per cell that has at least one sample. */
  points(): DecodePoint[] {
    return [...this.#cells.values()].flatMap(({ point, main }) => {
      if (point === null || main.length === 0) return [];
      const token = estimate(main.map(({ tokenMs }) => tokenMs));
      const prompt = estimate(main.map(({ promptMs }) => promptMs));
      const { model, context, precision, stateBytes } = point;
      return [
        {
          model,
          context,
          precision,
          token,
          tokensPerSecond: 1000 / token.median,
          prompt,
          promptTokensPerSecond: (1000 * context) / prompt.median,
          stateBytes,
        },
      ];
    });
  }

  /** Samples of the A/A control, round by round. */
  controls(): { model: string; context: number; main: number[]; second: number[] }[] {
    return [...this.#cells.values()].flatMap(({ point, main, control }) =>
      point === null || main.length === 0 || control.length === 0
        ? []
        : [
            {
              model: point.model,
              context: point.context,
              main: main.map(({ tokenMs }) => tokenMs),
              second: control.map(({ tokenMs }) => tokenMs),
            },
          ],
    );
  }
}
