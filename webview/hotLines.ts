/** The lines of code that cost most, at the largest context of each model. */
import type { LineCost, Report } from '../extension/shared/report.js';
import { bytes, flops, integer, milliseconds, percent } from '../extension/shared/units.js';
import { element } from './dom.js';
import { modelLabels } from './contextSpec.js';

const SHOWN = 8;

interface HotLine extends LineCost {
  readonly model: string;
  readonly context: number;
}

/** The costliest lines of a model at its largest context. */
export function hottest(report: Report, model: string): HotLine[] {
  const points = report.timing.filter((point) => point.model === model && point.lines.length > 0);
  const largest = points.sort((a, b) => a.context - b.context).at(-1);
  if (largest === undefined) return [];
  return [...largest.lines]
    .sort((a, b) => b.share - a.share)
    .slice(0, SHOWN)
    .map((line) => ({ ...line, model, context: largest.context }));
}

/** Fills `target` with a table per model; a line is a button where there is an editor to open it in. */
export function hotLines(
  target: HTMLElement,
  report: Report,
  openLine: ((file: string, line: number) => void) | null,
): void {
  const models = modelLabels(report)
    .map((model) => ({ model, lines: hottest(report, model) }))
    .filter(({ lines }) => lines.length > 0);
  const key = JSON.stringify(models);
  if (target.dataset['key'] === key) return;
  target.dataset['key'] = key;
  target.replaceChildren(
    ...models.map(({ model, lines }) => {
      const caption = `Costliest lines of ${model} at context ${integer(lines[0]?.context ?? 0)}`;
      const titles = ['Line', 'Forward', 'Backward', 'Optimizer', 'Share of step', 'FLOPs', 'Memory traffic'];
      return element(
        'div',
        { class: 'table', tabindex: '0', role: 'region', 'aria-label': caption },
        element(
          'table',
          {},
          element('caption', {}, caption),
          element(
            'thead',
            {},
            element(
              'tr',
              {},
              ...titles.map((title, index) =>
                element('th', { scope: 'col', class: index === 0 ? 'words' : false }, title),
              ),
            ),
          ),
          element('tbody', {}, ...lines.map((line) => row(line, openLine))),
        ),
      );
    }),
  );
}

function row(line: HotLine, openLine: ((file: string, line: number) => void) | null): HTMLElement {
  const name = line.file === '' ? 'optimizer' : `${line.file.replace(/^.*[/\\]/, '')}:${line.line}`;
  let place: Node | string = name;
  if (openLine !== null && line.file !== '') {
    const link = element('button', { class: 'link', title: `Open ${line.file}` }, name);
    link.addEventListener('click', () => {
      openLine(line.file, line.line);
    });
    place = link;
  }
  return element(
    'tr',
    {},
    element('th', { scope: 'row', class: 'words' }, place),
    ...[
      milliseconds(line.forwardMs),
      milliseconds(line.backwardMs),
      milliseconds(line.optimizerMs),
      percent(line.share),
      flops(line.flops),
      bytes(line.bytes),
    ].map((text) => element('td', {}, text)),
  );
}
