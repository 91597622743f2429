/** A/A controls of a run as one table. Pure functions of the report. */
import type { Control, Report } from '../extension/shared/report.js';
import { digits, integer, plusMinus, range } from '../extension/shared/units.js';
import { number } from './columns.js';
import type { Column } from './table.js';

export interface NoiseRow extends Control {
  readonly of: string;
}

export function noiseRows({ control, decodeControl }: Report): NoiseRow[] {
  return [
    ...control.map((one) => ({ ...one, of: 'training step' })),
    ...decodeControl.map((one) => ({ ...one, of: 'decoded token' })),
  ];
}

export const noiseColumns: readonly Column<NoiseRow>[] = [
  { title: 'Of', text: ({ of }) => of, words: true },
  { title: 'Model', text: ({ model }) => model, words: true },
  { title: 'Context', ...number(({ context }) => context, integer) },
  { title: 'Ratio', ...number(({ ratio }) => ratio, digits), hint: 'Of the medians of the two series' },
  {
    title: '95% interval',
    text: ({ interval }) => range(interval, (end) => digits(end)),
    ends: ({ interval }) => interval,
  },
  {
    title: 'Noise',
    ...number(({ spread }) => spread, plusMinus),
    hint: 'How far the interval reaches from 1',
  },
  {
    title: 'Verdict',
    text: ({ busy }) => (busy ? "machine was busy: can't tell inside this" : 'no difference inside this'),
    words: true,
  },
];
