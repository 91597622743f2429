/** What a report says about the lines of one file, and how lines move while the file is edited. Pure functions. */
import path from 'node:path';
import type { LineCost, Report } from '../shared/report.js';

export interface LineAtContext {
  readonly model: string;
  readonly context: number;
  readonly batch: number;
  readonly cost: LineCost;
}

export interface LineAnnotation {
  /** From 1. */
  readonly line: number;
  /** The figure at the end of the line: first model of the file, largest context measured. */
  readonly shown: LineAtContext;
  readonly all: readonly LineAtContext[];
}

/** Annotations of a file, by line; `root` is what relative paths of the report start from. */
export function lineAnnotations(report: Report, root: string, file: string): LineAnnotation[] {
  const lines = new Map<number, LineAtContext[]>();
  for (const { model, context, batch, lines: costs } of report.timing) {
    for (const cost of costs) {
      if (path.resolve(root, cost.file) !== file) continue;
      const list = lines.get(cost.line) ?? [];
      list.push({ model, context, batch, cost });
      lines.set(cost.line, list);
    }
  }
  return [...lines]
    .map(([line, all]) => {
      const sorted = [...all].sort((a, b) => a.context - b.context);
      const first = report.models.find((model) => sorted.some((item) => item.model === model.label))?.label;
      const shown = sorted.filter((item) => first === undefined || item.model === first).at(-1);
      return shown === undefined ? [] : [{ line, shown, all: sorted }];
    })
    .flat()
    .sort((a, b) => a.line - b.line);
}

/** Whether a report has a figure for a line. */
export function namesLine({ timing }: Report, file: string, line: number): boolean {
  return timing.some(({ lines }) => lines.some((cost) => cost.file === file && cost.line === line));
}

/** An edit: lines `start` to `end` (from 0) became `lines` lines. */
export interface LineEdit {
  readonly start: number;
  readonly end: number;
  readonly lines: number;
}

/** Where a line (from 0) stands after an edit; a line inside what was replaced moves to its last line. */
export function moveLine(line: number, edit: LineEdit): number {
  if (line > edit.end) return line + edit.lines - (edit.end - edit.start + 1);
  return Math.min(line, edit.start + edit.lines - 1);
}

/** Shades of the background: 0 is none, the last is a quarter of the step or more. */
export const SHADES = 5;

/** Shade of a line by its share of the step; lines below 1% have none. */
export function shadeOf(share: number): number {
  if (!(share >= 0.01)) return 0;
  return Math.min(SHADES, 1 + Math.floor((share / 0.25) * (SHADES - 1)));
}
