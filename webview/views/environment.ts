/** Environment: what the numbers were measured on, and how much the machine itself varied. */
import type { Environment } from '../../extension/shared/report.js';
import { bytes, flops } from '../../extension/shared/units.js';
import { noiseColumns, noiseRows } from '../noiseSpec.js';
import { element, fill } from '../dom.js';
import type { ReportView } from '../reportView.js';
import { table } from '../table.js';

function environmentRows(environment: Environment): [string, string][] {
  const { gitCommit, gitDirty, oneDnn, peakFlopsPerSecond, dataHash } = environment;
  return [
    ['Device', `${environment.device}, ${environment.precision}`],
    ['Processor', environment.cpu],
    ['Threads', String(environment.threads)],
    ['Instruction set', environment.instructionSet],
    ['Memory', bytes(environment.memoryBytes)],
    ['Matrix products', oneDnn === null ? 'portable kernels' : `oneDNN ${oneDnn}`],
    ['Measured peak', peakFlopsPerSecond === null ? 'not measured' : `${flops(peakFlopsPerSecond)}/s`],
    ['Data', `${environment.dataDescription ?? 'none'}${dataHash === null ? '' : `, SHA-256 ${dataHash}`}`],
    ['Revision', gitCommit === null ? 'none' : `${gitCommit}${gitDirty === true ? ', with changes' : ''}`],
    ['Software', `Crossover ${environment.crossover}, Node ${environment.node}, ${environment.platform}`],
  ];
}

export function environmentView(): ReportView {
  const facts = element('dl');
  const noise = element('div');
  const about = element(
    'p',
    { class: 'small' },
    'An A/A control is the same model measured against itself, in turn with the others: what differs by less cannot be told from chance. The samples behind a median are shown by pressing it in the tables of Timing and Decode.',
  );
  const empty = element('p', { class: 'empty' });
  return {
    element: element('section', { 'aria-label': 'Environment' }, facts, noise, about, empty),
    recolour: () => undefined,
    update: (report) => {
      const { environment } = report;
      facts.hidden = environment === null;
      empty.hidden = environment !== null;
      empty.textContent =
        report.overlay !== undefined
          ? 'These runs were measured under different conditions: what differs stands above.'
          : report.status === 'running'
            ? 'What the run is measured on appears here when the engine has started.'
            : 'This run ended before it knew what it was measured on: run it again.';
      if (environment !== null)
        fill(
          facts,
          ...environmentRows(environment).flatMap(([name, value]) => [
            element('dt', {}, name),
            element('dd', {}, value),
          ]),
        );
      const rows = noiseRows(report);
      about.hidden = rows.length === 0;
      fill(noise, ...(rows.length === 0 ? [] : [table('A/A controls', noiseColumns, rows)]));
    },
  };
}
