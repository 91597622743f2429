/** The results panel: builds the page once and brings it up to date with every report of the host. */
import {
  never,
  parseHostMessage,
  type PanelMessage,
  type Tab,
  type View,
} from '../extension/shared/protocol.js';
import type { Report } from '../extension/shared/report.js';
import { duration } from '../extension/shared/units.js';
import { element, fill } from './dom.js';
import { host } from './host.js';
import { setOutlet } from './outlet.js';
import { LossStore } from './lossStore.js';
import './panel.css';
import type { ViewContext } from './reportView.js';
import { observeTheme } from './theme.js';
import { button, spinner, tabs, toolkitControls } from './toolkit.js';
import { breakdownView } from './views/breakdown.js';
import { decodeView } from './views/decode.js';
import { details, overlaid, problems, statusText } from './views/details.js';
import { environmentView } from './views/environment.js';
import { evalsView } from './views/evals.js';
import { lossView } from './views/loss.js';
import { timingView } from './views/timing.js';

const send = (message: PanelMessage): void => {
  host.postMessage(message);
};

let report: Report | null = null;
let view: View | null = null;

setOutlet({
  title: () => report?.title ?? '',
  copy: (text) => {
    send({ type: 'copy', text });
  },
  save: (file) => {
    send({ type: 'save', file });
  },
});

const losses = new LossStore();

const context: ViewContext = {
  controls: toolkitControls,
  choose: (change) => {
    if (view === null || report === null) return;
    view = { ...view, ...change };
    send({ type: 'view', view });
    render(report, view);
  },
  losses: (shown) => losses.of(shown),
  openLine: (file, line) => {
    send({ type: 'openLine', file, line });
  },
};

const pages = {
  timing: timingView(context),
  decode: decodeView(context),
  loss: lossView(context),
  eval: evalsView(context),
  breakdown: breakdownView(context),
  environment: environmentView(),
};
const title = element('h1');
const status = element('p', { class: 'status' });
const message = element('span', { 'aria-live': 'polite' });
const bar = element('progress', { max: '1', 'aria-label': 'Progress of the run' });
const running = element(
  'div',
  { class: 'running' },
  spinner('Running'),
  bar,
  message,
  button('Cancel', () => {
    send({ type: 'cancel' });
  }),
);
const more = button('Add Run…', () => {
  send({ type: 'chooseRuns' });
});
const exported = button('Save HTML Report', () => {
  send({ type: 'exportHtml' });
});
const trouble = element('div', { role: 'alert' });
const together = element('div', { class: 'together' });
const strip = tabs(
  [
    { id: 'timing', label: 'Timing', content: pages.timing.element },
    { id: 'decode', label: 'Decode', content: pages.decode.element },
    { id: 'loss', label: 'Loss', content: pages.loss.element },
    { id: 'eval', label: 'Eval', content: pages.eval.element },
    { id: 'breakdown', label: 'Breakdown', content: pages.breakdown.element },
    { id: 'environment', label: 'Environment', content: pages.environment.element },
  ],
  (id) => {
    context.choose({ tab: id as Tab });
  },
);
const foot = element('footer');
const page = element(
  'div',
  {},
  element(
    'header',
    {},
    element('div', {}, title, status),
    element('div', { class: 'actions' }, more, exported),
  ),
  running,
  trouble,
  together,
  strip.element,
  foot,
);
const empty = element('p', { class: 'empty' }, 'Loading the run…');
const root = document.getElementById('root') ?? document.body;
page.hidden = true;
root.append(page, empty);

function render(current: Report, shown: View): void {
  fill(title, current.title);
  fill(status, statusText(current));
  running.hidden = current.status !== 'running';
  exported.hidden = current.status === 'running';
  const { progress } = current;
  if (progress === null) bar.removeAttribute('value');
  else bar.value = progress.fraction;
  const left =
    progress === null || progress.secondsLeft === null ? '' : `, ${duration(progress.secondsLeft)} left`;
  fill(message, `${progress?.message ?? 'Starting the engine'}${left}`);
  problems(trouble, current);
  overlaid(together, current);
  strip.set(shown.tab);
  // The others are brought up to date when they are looked at.
  pages[shown.tab].update(current, shown);
  details(foot, current);
}

let asked = false;

/** Renders once for all that has arrived until the next frame. */
function requestRender(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (report !== null && view !== null) render(report, view);
  });
}

window.addEventListener('message', (event: MessageEvent<unknown>) => {
  const news = parseHostMessage(event.data);
  if (news === null) return;
  page.hidden = news.type === 'empty';
  empty.hidden = news.type !== 'empty';
  switch (news.type) {
    case 'report':
      report = news.report;
      losses.keep(report);
      view = news.view;
      host.setState({ folders: news.folders });
      render(report, view);
      return;
    case 'losses':
      if (news.id === report?.id) losses.add(news.curve, news.from, news.rows);
      requestRender();
      return;
    case 'empty':
      fill(empty, news.message);
      return;
    default:
      never(news);
  }
});
observeTheme(() => {
  for (const part of Object.values(pages)) part.recolour();
});
send({ type: 'ready' });
