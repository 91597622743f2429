/** Collects decoding events per (model, context) and turns them into points. */
import type { DecodePoint } from '../../shared/report.js';
import { estimate } from '../stats/estimate.js';
import { Cells, type ControlSeries } from './cells.js';
import type { DecodePointEvent, DecodeSampleEvent } from './events.js';

export class DecodeTable {
  readonly #cells = new Cells<DecodePointEvent, DecodeSampleEvent>();

  add(event: DecodePointEvent | DecodeSampleEvent): void {
    if (event.type === 'decodePoint') this.#cells.at(event).point = event;
    else this.#cells.addSample(event);
  }

  /** One point per cell that has at least one sample. */
  points(): DecodePoint[] {
    return this.#cells.measured().map(({ model, context, point, main }) => {
      const token = estimate(main.map(({ tokenMs }) => tokenMs));
      const prompt = estimate(main.map(({ promptMs }) => promptMs));
      return {
        model,
        context,
        precision: point.precision,
        token,
        tokensPerSecond: 1000 / token.median,
        prompt,
        promptTokensPerSecond: (1000 * context) / prompt.median,
        stateBytes: point.stateBytes,
      };
    });
  }

  controls(): ControlSeries[] {
    return this.#cells.controls(({ tokenMs }) => tokenMs);
  }
}
