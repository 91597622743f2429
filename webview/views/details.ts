/** What stands under every tab: problems, models, notes and the environment. */
import type { Environment, ModelInfo, Report } from '../../extension/shared/report.js';
import { bytes, count, flops } from '../../extension/shared/units.js';
import { element, fill } from '../dom.js';
import { table, type Column } from '../table.js';

const MODEL_COLUMNS: readonly Column<ModelInfo>[] = [
  { title: 'Model', text: ({ label }) => label, words: true },
  { title: 'Parameters', text: ({ parameters }) => count(parameters), value: ({ parameters }) => parameters },
  {
    title: 'Of these embeddings',
    text: ({ embeddingParameters }) => count(embeddingParameters),
    value: ({ embeddingParameters }) => embeddingParameters,
  },
  { title: 'Source', text: ({ source }) => source.replace(/^.*[/\\](?=[^/\\]*::)/, ''), words: true },
];

function environmentRows(environment: Environment): [string, string][] {
  const { gitCommit, gitDirty, oneDnn, peakFlopsPerSecond, dataHash } = environment;
  return [
    ['Device', `${environment.device}, ${environment.precision}`],
    ['Processor', `${environment.cpu}, ${environment.threads} threads, ${environment.instructionSet}`],
    ['Memory', bytes(environment.memoryBytes)],
    ['Matrix products', oneDnn === null ? 'portable kernels' : `oneDNN ${oneDnn}`],
    ['Measured peak', peakFlopsPerSecond === null ? 'not measured' : `${flops(peakFlopsPerSecond)}/s`],
    ['Data', `${environment.dataDescription ?? 'none'}${dataHash === null ? '' : `, SHA-256 ${dataHash}`}`],
    ['Revision', gitCommit === null ? 'none' : `${gitCommit}${gitDirty === true ? ', with changes' : ''}`],
    ['Software', `Crossover ${environment.crossover}, Node ${environment.node}, ${environment.platform}`],
  ];
}

/** Problems, for the top of the page. */
export function problems(target: HTMLElement, report: Report): void {
  fill(
    target,
    ...report.problems.map(({ message, file, line }) => {
      const name = file === null ? null : `${file.replace(/^.*[/\\]/, '')}${line === null ? '' : `:${line}`}`;
      const place = name === null || message.includes(name) ? '' : ` (${name})`;
      return element('p', { class: 'problem' }, `${message}${place}`);
    }),
  );
}

/** Models, notes and environment, for the end of the page. */
export function details(target: HTMLElement, report: Report): void {
  fill(
    target,
    ...(report.models.length > 0 ? [table('Models', MODEL_COLUMNS, report.models)] : []),
    ...(report.notes.length > 0
      ? [
          element('h3', {}, 'Notes'),
          element('ul', {}, ...report.notes.map((note) => element('li', {}, note))),
        ]
      : []),
    ...(report.environment === null
      ? []
      : [
          element('h3', {}, 'Measured on'),
          element(
            'dl',
            {},
            ...environmentRows(report.environment).flatMap(([name, value]) => [
              element('dt', {}, name),
              element('dd', {}, value),
            ]),
          ),
        ]),
  );
}

const STATUS_TEXT: Readonly<Record<Report['status'], string>> = {
  running: 'Running',
  done: 'Done',
  cancelled: 'Cancelled, with what was measured until then',
  failed: 'Failed',
  interrupted: 'Interrupted',
};

/** How the run stands, in words. */
export function statusText(report: Report): string {
  const started = new Date(report.startedAt).toLocaleString();
  return `${STATUS_TEXT[report.status]} · started ${started}`;
}
