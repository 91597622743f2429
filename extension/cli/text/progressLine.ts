/** One line on standard error that says what is being done and how long it will take. */
import type { Progress } from '../../shared/report.js';
import { styled, type Terminal } from '../terminal.js';
import { durationText } from './units.js';

const BAR = 20;
/** Between lines where the line cannot be redrawn, as in a log file. */
const QUIET_MS = 10_000;

export class ProgressLine {
  #shown = false;
  #last = -Infinity;
  #message = '';

  constructor(readonly terminal: Terminal) {}

  show({ message, fraction, secondsLeft }: Progress): void {
    const left = secondsLeft === null ? '' : `  about ${durationText(secondsLeft)} left`;
    if (!this.terminal.live) {
      const now = performance.now();
      if (now - this.#last < QUIET_MS || message === this.#message) return;
      this.#last = now;
      this.#message = message;
      this.terminal.err(`${Math.round(fraction * 100)}%  ${message}${left}\n`);
      return;
    }
    const filled = Math.round(fraction * BAR);
    const bar = '━'.repeat(filled) + styled(this.terminal, 'dim', '─'.repeat(BAR - filled));
    const text = `${message}${left}`.slice(0, this.terminal.width - BAR - 8);
    this.terminal.err(`\r\u001b[K${bar} ${String(Math.round(fraction * 100)).padStart(3)}%  ${text}`);
    this.#shown = true;
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.terminal.err('\r\u001b[K');
    this.#shown = false;
  }
}
