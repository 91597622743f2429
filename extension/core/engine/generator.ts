/** Makes tokens: reads a prompt, then draws each token from the logits of those before. */
import { sampleToken, type SamplingSpec } from '../experiments/sampling.js';
import { Random } from '../stats/random.js';
import type { Decoder } from './decoder.js';
import type { Decoded } from './requests.js';

export class Generator {
  readonly #decoder: Decoder;
  readonly #sampling: SamplingSpec;
  readonly #random: Random;
  #logits = new Float32Array();

  constructor(decoder: Decoder, sampling: SamplingSpec, seed: number) {
    this.#decoder = decoder;
    this.#sampling = sampling;
    this.#random = new Random(seed);
  }

  /** Reads the prompt; gives the milliseconds it took. */
  async start(prompt: readonly number[]): Promise<number> {
    const { logits, ms } = await this.#decoder.read(prompt);
    this.#logits = Float32Array.from(logits);
    return ms;
  }

  /** Draws and reads `count` tokens. */
  async next(count: number): Promise<Decoded> {
    const tokens: number[] = [];
    let total = 0;
    for (let i = 0; i < count; i++) {
      const token = sampleToken(this.#logits, this.#sampling, this.#random);
      const { logits, ms } = await this.#decoder.read([token]);
      this.#logits = Float32Array.from(logits);
      tokens.push(token);
      total += ms;
    }
    return { tokens, ms: total, stateBytes: this.#decoder.stateBytes(this.#decoder.position) };
  }

  dispose(): void {
    this.#decoder.dispose();
  }
}
