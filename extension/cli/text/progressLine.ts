/** One line on standard error that says what is being done and how long it will take. */
import type { Progress } from '../../shared/report.js';
import { duration } from '../../shared/units.js';
import { styled, type Terminal } from '../terminal.js';

const BAR = 14;
/** Between lines where the line cannot be redrawn, as in a log file. */
const QUIET_MS = 10_000;

export class ProgressLine {
  #shown = false;
  #last = -Infinity;
  #message = '';

  constructor(readonly terminal: Terminal) {}

  show({ message, fraction, secondsLeft }: Progress): void {
    const left = secondsLeft === null ? '' : `  about ${duration(secondsLeft)} left`;
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
    const room = this.terminal.width - BAR - 8 - left.length;
    const text = (message.length > room ? `${message.slice(0, room - 1)}…` : message) + left;
    this.terminal.err(`\r\u001b[K${bar} ${String(Math.round(fraction * 100)).padStart(3)}%  ${text}`);
    this.#shown = true;
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.terminal.err('\r\u001b[K');
    this.#shown = false;
  }
}
