/** What every part of a report's page is: an element that is brought up to date, as often as there is news. */
import type { View } from '../extension/shared/protocol.js';
import type { LossColumns } from '../extension/shared/lossColumns.js';
import type { Report } from '../extension/shared/report.js';
import type { Controls } from './controls.js';

export interface ReportView {
  readonly element: HTMLElement;
  update(report: Report, view: View): void;
  recolour(): void;
}

export interface ViewContext {
  readonly controls: Controls;
  /** The reader has chosen something else to look at. */
  readonly choose: (change: Partial<View>) => void;
  /** Training losses of the curves of a report, in their order. */
  readonly losses: (report: Report) => readonly LossColumns[];
  /** Opens a line of a model file; `null` where there is no editor. */
  readonly openLine: ((file: string, line: number) => void) | null;
}
