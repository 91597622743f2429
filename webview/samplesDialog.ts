/** The samples behind a median in a dialog: a strip plot in the order they were taken, and a table. Escape closes it. */
import { element } from './dom.js';
import { SAMPLE_COLUMNS, sampleRows, samplesSentence, stripScale, type Samples } from './samplesSpec.js';
import { table } from './table.js';

const WIDTH = 520;
const MARGIN = 14;
const ROW = 12;
const SVG = 'http://www.w3.org/2000/svg';

export function showSamples(samples: Samples): void {
  const close = element('button', { class: 'link', autofocus: true }, 'Close');
  const dialog = element(
    'dialog',
    { class: 'samples', 'aria-label': samples.title },
    element('header', {}, element('h2', {}, samples.title), close),
    element('p', {}, samplesSentence(samples)),
    strip(samples),
    element(
      'p',
      { class: 'small' },
      'A dot per sample, the first at the top; the line is the median, the band its 95% bootstrap interval.',
    ),
    table(`Samples: ${samples.title}`, SAMPLE_COLUMNS, sampleRows(samples)),
  );
  close.addEventListener('click', () => {
    dialog.close();
  });
  // Outside of the box is the backdrop, which belongs to the dialog itself.
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

function strip(samples: Samples): SVGElement {
  const { median, interval, samples: taken } = samples.estimate;
  const height = taken.length * ROW + 2 * MARGIN;
  const across = stripScale(samples, WIDTH, MARGIN);
  const [low, high] = interval;
  return drawn(
    'svg',
    {
      class: 'strip',
      viewBox: `0 0 ${WIDTH} ${height}`,
      role: 'img',
      'aria-label': `${samplesSentence(samples)} The table below has each.`,
    },
    drawn('rect', {
      class: 'interval',
      x: across(low),
      y: 0,
      width: Math.max(1, across(high) - across(low)),
      height,
    }),
    drawn('line', { class: 'median', x1: across(median), x2: across(median), y1: 0, y2: height }),
    ...taken.map((ms, index) =>
      drawn('circle', { class: 'sample', cx: across(ms), cy: MARGIN + (index + 0.5) * ROW, r: 4 }),
    ),
  );
}

function drawn(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly SVGElement[]
): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}
