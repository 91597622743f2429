/** The samples behind a median. Pure functions. */
import type { Estimate } from '../extension/shared/report.js';
import { digits, integer, milliseconds, range } from '../extension/shared/units.js';
import { number } from './columns.js';
import type { Column } from './table.js';

export interface Samples {
  /** What was timed: `Training step of GPT-2 at context 4,096`. */
  readonly title: string;
  /** Milliseconds. */
  readonly estimate: Estimate;
}

export interface SampleRow {
  /** From 1, in the order they were taken. */
  readonly round: number;
  readonly ms: number;
  /** Of the median. */
  readonly ratio: number;
}

export function sampleRows({ estimate }: Samples): SampleRow[] {
  return estimate.samples.map((ms, index) => ({ round: index + 1, ms, ratio: ms / estimate.median }));
}

export const SAMPLE_COLUMNS: readonly Column<SampleRow>[] = [
  { title: 'Round', ...number(({ round }) => round, integer), hint: 'In the order they were taken' },
  { title: 'Time', ...number(({ ms }) => ms, milliseconds, 'ms') },
  { title: 'Of the median', ...number(({ ratio }) => ratio, digits) },
];

/** `Median 946 ms, 95% interval 918-984 ms; 5 samples from 899 ms to 1.00 s.` */
export function samplesSentence({ estimate: { median, interval, samples } }: Samples): string {
  const ends = `from ${milliseconds(Math.min(...samples))} to ${milliseconds(Math.max(...samples))}`;
  const taken = `${integer(samples.length)} ${samples.length === 1 ? 'sample' : 'samples'} ${ends}`;
  return `Median ${milliseconds(median)}, 95% interval ${range(interval, milliseconds)}; ${taken}.`;
}

/** Where values stand on a strip of this width: all of them, the interval too, with a margin. */
export function stripScale({ estimate }: Samples, width: number, margin: number): (ms: number) => number {
  const all = [...estimate.samples, ...estimate.interval, estimate.median];
  const low = Math.min(...all);
  const span = Math.max(...all) - low;
  return (ms) => (span > 0 ? margin + ((ms - low) / span) * (width - 2 * margin) : width / 2);
}
