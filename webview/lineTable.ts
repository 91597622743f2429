/** Lines of code with what they cost in a training step. */
import type { LineCost, TimingPoint } from '../extension/shared/report.js';
import { bytes, flops, milliseconds, percent } from '../extension/shared/units.js';
import type { Column } from './table.js';

type OpenLine = ((file: string, line: number) => void) | null;

/** A line with the memory it holds for the backward pass; `null` in runs of earlier versions. */
export interface LineRow extends LineCost {
  readonly keptBytes: number | null;
}

/** All lines of a measurement, costliest first. */
export function lineRows({ lines, parts }: TimingPoint): LineRow[] {
  return [...lines]
    .sort((a, b) => b.share - a.share)
    .map((line) => {
      const own = parts?.filter((part) => part.file === line.file && part.line === line.line);
      return { ...line, keptBytes: own?.reduce((sum, { keptBytes }) => sum + keptBytes, 0) ?? null };
    });
}

/** `model.py:41`, or what belongs to no line. */
export const lineName = ({ file, line }: Pick<LineCost, 'file' | 'line'>): string =>
  file === '' ? 'optimizer' : `${file.replace(/^.*[/\\]/, '')}:${line}`;

export function lineColumns(openLine: OpenLine): Column<LineRow>[] {
  return [
    {
      title: 'Line',
      text: lineName,
      words: true,
      press: ({ file, line }) =>
        openLine === null || file === ''
          ? null
          : {
              hint: `Open ${file}`,
              run: () => {
                openLine(file, line);
              },
            },
    },
    { title: 'Forward', ...inMs(({ forwardMs }) => forwardMs) },
    { title: 'Backward', ...inMs(({ backwardMs }) => backwardMs) },
    { title: 'Optimizer', ...inMs(({ optimizerMs }) => optimizerMs) },
    { title: 'Share of step', text: ({ share }) => percent(share), value: ({ share }) => share },
    { title: 'FLOPs', text: (line) => flops(line.flops), value: (line) => line.flops },
    {
      title: 'Memory traffic',
      text: (line) => bytes(line.bytes),
      value: (line) => line.bytes,
      unit: 'bytes',
    },
    {
      title: 'Kept for backward',
      text: ({ keptBytes }) => (keptBytes === null ? '-' : bytes(keptBytes)),
      value: ({ keptBytes }) => keptBytes,
      unit: 'bytes',
      hint: 'Memory that results of the forward pass hold until the backward pass has read them',
    },
  ];
}

function inMs(value: (line: LineCost) => number) {
  return { text: (line: LineCost) => milliseconds(value(line)), value, unit: 'ms' };
}
