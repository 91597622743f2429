/** How far a run is and how long it will take. Work is counted in FLOPs, which are known before it is done. */
import type { Progress } from '../../shared/report.js';

const EVERY_MS = 400;
/** Before this share of the work is done an estimate would be a guess. */
const ENOUGH = 0.02;

export class ProgressMeter {
  readonly #emit: (progress: Progress) => void;
  readonly #now: () => number;
  #total = 0;
  #done = 0;
  #started: number | null = null;
  #last = -Infinity;

  constructor(emit: (progress: Progress) => void, now: () => number = () => performance.now()) {
    this.#emit = emit;
    this.#now = now;
  }

  /** Announces work before any of it is done. */
  expect(flops: number): void {
    this.#total += flops;
  }

  /** Takes back announced work that will not be done. */
  drop(flops: number): void {
    this.#total = Math.max(this.#done, this.#total - flops);
  }

  /** Says what is being done where it cannot be counted (tracing, compiling). */
  say(message: string): void {
    this.#send(message, true);
  }

  /** Counts work done. */
  advance(flops: number, message: string): void {
    this.#done += flops;
    this.#send(message, false);
  }

  /** Starts the clock that estimates are made from: call it when the first counted work begins. */
  start(): void {
    this.#started ??= this.#now();
  }

  #send(message: string, always: boolean): void {
    const now = this.#now();
    if (!always && now - this.#last < EVERY_MS) return;
    this.#last = now;
    const fraction = this.#total > 0 ? Math.min(1, this.#done / this.#total) : 0;
    const secondsLeft =
      this.#started === null || fraction < ENOUGH
        ? null
        : ((now - this.#started) / 1000 / fraction) * (1 - fraction);
    this.#emit({ message, fraction, secondsLeft });
  }
}
