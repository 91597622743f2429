/** The words of a line's annotation. */
import { bytes, flops, integer, milliseconds, percent } from '../shared/units.js';
import type { LineAnnotation, LineAtContext } from './lineCosts.js';

/** Characters of the figure in the column before the code: time, then share. */
const TIME_CHARACTERS = 7;
const SHARE_CHARACTERS = 6;

/** `vscode.l10n.t`, or what stands for it: a text with `{0}`, `{1}`, ... filled in. */
export type Translate = (text: string, ...values: string[]) => string;

/** Forward and backward time of a line and its share of the step; the word stale in place of a share that is. */
export function annotationText({ shown }: LineAnnotation, stale: boolean, t: Translate): string {
  const { forwardMs, backwardMs, share } = shown.cost;
  return `${milliseconds(forwardMs + backwardMs)} · ${stale ? t('stale') : percent(share)}`;
}

/** The same as a cell of a column: the column is as wide for a line that has no figure (`null`). */
export function annotationCell(annotation: LineAnnotation | null, stale: boolean, t: Translate): string {
  const [time = '', share = ''] =
    annotation === null ? [] : annotationText(annotation, stale, t).split(' · ');
  const cell = `${time.padStart(TIME_CHARACTERS)}  ${share.padStart(SHARE_CHARACTERS)}`;
  return cell.replaceAll(' ', '\u00a0');
}

/** Markdown: every phase at each context, FLOPs, bytes and the rate they were done at, for every model of the run. */
export function annotationHover({ shown, all }: LineAnnotation, stale: boolean, t: Translate): string {
  const models = [...new Set(all.map(({ model }) => model))];
  const tables = models.map((model) => {
    const rows = all.filter((item) => item.model === model).map(hoverRow);
    return [
      `**${escapeMarkdown(model)}**`,
      '',
      t('context | forward | backward | optimizer | share | FLOPs | FLOP/s | memory | B/s'),
      '--: | --: | --: | --: | --: | --: | --: | --: | --:',
      ...rows,
    ].join('\n');
  });
  const head = t(
    'Crossover: this line in one training step; shown beside it: {0} at context {1}.',
    escapeMarkdown(shown.model),
    integer(shown.context),
  );
  const warning = t(
    'The line was changed or moved since it was measured: benchmark the model again, or undo the edit.',
  );
  return [head, ...(stale ? [warning] : []), ...tables].join('\n\n');
}

/** Spaces that do not break keep a number and its unit on one line. */
function hoverRow({ context, cost }: LineAtContext): string {
  const ms = cost.forwardMs + cost.backwardMs + cost.optimizerMs;
  const rate = (amount: number, format: (value: number) => string): string =>
    ms > 0 && amount > 0 ? `${format((amount / ms) * 1000)}/s` : '-';
  return [
    integer(context),
    milliseconds(cost.forwardMs),
    milliseconds(cost.backwardMs),
    milliseconds(cost.optimizerMs),
    percent(cost.share),
    flops(cost.flops),
    rate(cost.flops, flops),
    bytes(cost.bytes),
    rate(cost.bytes, bytes),
  ]
    .map((cell) => cell.replaceAll(' ', '\u00a0'))
    .join(' | ');
}

/** Text that Markdown shows as it stands. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>]/g, '\\$&');
}
