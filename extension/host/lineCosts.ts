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

/** Width of the bar behind a line in characters, one per percent of the step; lines below 1% have none. */
export function barWidth(share: number): number {
  return share >= 0.01 ? Math.min(100, Math.round(share * 100)) : 0;
}

/** Cost of several lines in one training step. */
export interface StepCost {
  readonly model: string;
  /** Tokens. */
  readonly context: number;
  readonly ms: number;
  /** 0..1 */
  readonly share: number;
}

/** What lines cost together, each as it is shown beside itself; `null` for none. */
export function sumOf(annotations: readonly LineAnnotation[]): StepCost | null {
  const [first] = annotations;
  if (first === undefined) return null;
  const { model, context } = first.shown;
  const costs = annotations
    .map(({ shown }) => shown)
    .filter((shown) => shown.model === model && shown.context === context)
    .map(({ cost }) => cost);
  return {
    model,
    context,
    ms: costs.reduce((sum, cost) => sum + cost.forwardMs + cost.backwardMs + cost.optimizerMs, 0),
    share: costs.reduce((sum, cost) => sum + cost.share, 0),
  };
}
