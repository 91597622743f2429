/** The lines of code that cost most, at the largest context of each model. */
import type { LineCost, Report } from '../extension/shared/report.js';
import { bytes, flops, integer, milliseconds, percent } from '../extension/shared/units.js';
import { modelLabels } from './contextSpec.js';
import { table, type Column } from './table.js';

const SHOWN = 8;

type OpenLine = ((file: string, line: number) => void) | null;

/** A model's costliest lines at its largest context. */
export function hottest(report: Report, model: string): { context: number; lines: LineCost[] } | null {
  const points = report.timing.filter((point) => point.model === model && point.lines.length > 0);
  const largest = points.sort((a, b) => a.context - b.context).at(-1);
  if (largest === undefined) return null;
  const lines = [...largest.lines].sort((a, b) => b.share - a.share).slice(0, SHOWN);
  return { context: largest.context, lines };
}

/** `model.py:41`, or what belongs to no line. */
export const lineName = ({ file, line }: Pick<LineCost, 'file' | 'line'>): string =>
  file === '' ? 'optimizer' : `${file.replace(/^.*[/\\]/, '')}:${line}`;

export function lineColumns(openLine: OpenLine): Column<LineCost>[] {
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
  ];
}

function inMs(value: (line: LineCost) => number) {
  return { text: (line: LineCost) => milliseconds(value(line)), value, unit: 'ms' };
}

/** A table per model; a line is a button where there is an editor to open it in. */
export function hotLines(report: Report, openLine: OpenLine): HTMLElement[] {
  return modelLabels(report).flatMap((model) => {
    const found = hottest(report, model);
    if (found === null) return [];
    const caption = `Costliest lines of ${model} at context ${integer(found.context)}`;
    return [table(caption, lineColumns(openLine), found.lines)];
  });
}
