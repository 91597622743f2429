/** The words of a line's annotation. */
import { bytes, flops, integer, milliseconds, percent } from '../shared/units.js';
import type { LineAnnotation } from './lineCosts.js';

/** Characters of the figure in the column before the code: time, then share. */
const TIME_CHARACTERS = 7;
const SHARE_CHARACTERS = 6;

/** Forward and backward time of a line and its share of the step; the word stale in place of a share that is. */
export function annotationText({ shown }: LineAnnotation, stale: boolean): string {
  const { forwardMs, backwardMs, share } = shown.cost;
  return `${milliseconds(forwardMs + backwardMs)} · ${stale ? 'stale' : percent(share)}`;
}

/** The same as a cell of a column: the column is as wide for a line that has no figure (`null`). */
export function annotationCell(annotation: LineAnnotation | null, stale: boolean): string {
  const [time = '', share = ''] = annotation === null ? [] : annotationText(annotation, stale).split(' · ');
  const cell = `${time.padStart(TIME_CHARACTERS)}  ${share.padStart(SHARE_CHARACTERS)}`;
  return cell.replaceAll(' ', '\u00a0');
}

/** Markdown: every phase at each context, FLOPs and bytes. */
export function annotationHover({ shown, all }: LineAnnotation, stale: boolean): string {
  const models = [...new Set(all.map(({ model }) => model))];
  const tables = models.map((model) => {
    const rows = all
      .filter((item) => item.model === model)
      .map(({ context, batch, cost }) =>
        [
          integer(context),
          integer(batch),
          milliseconds(cost.forwardMs),
          milliseconds(cost.backwardMs),
          milliseconds(cost.optimizerMs),
          percent(cost.share),
          flops(cost.flops),
          bytes(cost.bytes),
        ].join(' | '),
      );
    return [
      `**${escapeMarkdown(model)}**`,
      '',
      'context | batch | forward | backward | optimizer | share of step | FLOPs | memory traffic',
      '--: | --: | --: | --: | --: | --: | --: | --:',
      ...rows,
    ].join('\n');
  });
  const head = `Crossover: this line in one training step; shown beside it: ${escapeMarkdown(shown.model)} at context ${integer(shown.context)}.`;
  const warning = 'The file has changed since it was measured: benchmark it again, or undo the edit.';
  return [head, ...(stale ? [warning] : []), ...tables].join('\n\n');
}

/** Text that Markdown shows as it stands. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>]/g, '\\$&');
}
