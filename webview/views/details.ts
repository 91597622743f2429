/** What stands around the tabs: problems, models and notes. */
import type { ModelInfo, Report } from '../../extension/shared/report.js';
import { count } from '../../extension/shared/units.js';
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

/** Where several runs are shown: which, and what makes them unlike. */
export function overlaid(target: HTMLElement, { overlay }: Report): void {
  target.hidden = overlay === undefined;
  if (overlay === undefined) return;
  const runs = overlay.runs.map(({ tag, title, status }) =>
    element('li', {}, element('strong', {}, tag), `: ${title}${status === 'done' ? '' : `, ${status}`}`),
  );
  const warnings = overlay.warnings.map((text) => element('p', { class: 'warning' }, text));
  fill(target, element('ul', { 'aria-label': 'Runs shown together' }, ...runs), ...warnings);
}

/** Models and notes, for the end of the page. */
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
