/** Which of many pairs a reader sees first. */
import type { Crossover, Report } from './report.js';

/** More sentences on pairs than this are not read. */
const MOST = 10;

/** Crossovers along one axis: those that stand out, and the others, which are none unless there are many. */
export interface Foremost {
  readonly shown: readonly Crossover[];
  readonly others: readonly Crossover[];
}

/** Of many pairs those with the first model stand out: it is the one that the others are compared with. */
export function foremost(report: Report, axis: Crossover['axis']): Foremost {
  const all = report.crossovers.filter((crossover) => crossover.axis === axis);
  const first = report.models[0]?.label;
  const isShown = ({ before, after }: Crossover): boolean => before === first || after === first;
  if (all.length <= MOST || !all.some(isShown)) return { shown: all, others: [] };
  return { shown: all.filter(isShown), others: all.filter((crossover) => !isShown(crossover)) };
}
