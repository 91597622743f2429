/** The models of a report. Pure; imports types alone. */
import type { Report } from './report.js';

/** Labels of models in the order of the report, then any that only measurements name. */
export function modelLabels(report: Report): string[] {
  const named = [
    ...report.models.map(({ label }) => label),
    ...report.timing.map(({ model }) => model),
    ...report.decode.map(({ model }) => model),
    ...report.loss.map(({ model }) => model),
    ...report.evals.map(({ model }) => model),
  ];
  return [...new Set(named)];
}
