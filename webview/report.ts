/** The HTML report: everything of the panel one below the other, without VS Code. */
import { columnsOf } from '../extension/shared/lossColumns.js';
import { DEFAULT_VIEW, isReport, type View } from '../extension/shared/protocol.js';
import { browserOutlet } from './browserOutlet.js';
import { element } from './dom.js';
import { setOutlet } from './outlet.js';
import { plainControls } from './plainControls.js';
import './report.css';
import type { ViewContext } from './reportView.js';
import { observeTheme } from './theme.js';
import { breakdownView } from './views/breakdown.js';
import { decodeView } from './views/decode.js';
import { details, overlaid, problems, statusText } from './views/details.js';
import { environmentView } from './views/environment.js';
import { evalsView } from './views/evals.js';
import { lossView } from './views/loss.js';
import { timingView } from './views/timing.js';

const report: unknown = JSON.parse(document.getElementById('report')?.textContent ?? 'null');
const root = document.getElementById('root') ?? document.body;

if (isReport(report)) {
  setOutlet(browserOutlet(report.title));
  let view: View = DEFAULT_VIEW;
  const context: ViewContext = {
    controls: plainControls,
    choose: (change) => {
      view = { ...view, ...change };
      update();
    },
    losses: ({ loss }) => loss.map(({ points }) => columnsOf(points)),
    openLine: null,
  };
  const sections = [
    ...(report.timing.length > 0 ? [{ title: 'Timing', part: timingView(context) }] : []),
    ...(report.decode.length > 0 ? [{ title: 'Decode', part: decodeView(context) }] : []),
    ...(report.loss.length > 0 ? [{ title: 'Loss', part: lossView(context) }] : []),
    ...(report.evals.length > 0 ? [{ title: 'Eval', part: evalsView(context) }] : []),
    ...(report.timing.some(({ lines }) => lines.length > 0)
      ? [{ title: 'Breakdown', part: breakdownView(context) }]
      : []),
    { title: 'Environment', part: environmentView() },
  ];
  const update = (): void => {
    for (const { part } of sections) part.update(report, view);
  };
  const trouble = element('div');
  const foot = element('footer');
  problems(trouble, report);
  const together = element('div');
  overlaid(together, report);
  details(foot, report);
  root.append(
    element(
      'header',
      {},
      element(
        'div',
        {},
        element('h1', {}, report.title),
        element('p', { class: 'status' }, statusText(report)),
      ),
    ),
    trouble,
    together,
    ...sections.flatMap(({ title, part }) => [element('h2', {}, title), part.element]),
    foot,
  );
  update();
  observeTheme(() => {
    for (const { part } of sections) part.recolour();
  });
} else {
  root.append(
    element('p', { class: 'problem' }, 'This file holds no report: write it again with crossover report.'),
  );
}
