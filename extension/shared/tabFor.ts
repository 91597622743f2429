/** Which tab to begin with when a run is opened. */
import { type Tab, TABS } from './protocol.js';
import type { Report } from './report.js';

/** The tab shown last if the run has something for it, else the first that has, else timing. */
export function tabFor(report: Report, last: Tab): Tab {
  const filled = {
    timing: report.timing.length > 0,
    decode: report.decode.length > 0,
    loss: report.loss.length > 0,
    eval: report.evals.length > 0,
    breakdown: report.timing.some(({ lines }) => lines.length > 0),
    // What a run was measured on says nothing before it has measured.
    environment: report.timing.length + report.decode.length + report.loss.length + report.evals.length > 0,
  } satisfies Record<Tab, boolean>;
  if (filled[last]) return last;
  return TABS.find((tab) => tab !== 'environment' && filled[tab]) ?? 'timing';
}
