/** The words of a line's annotation. */
import { bytes, flops, integer, milliseconds, percent } from '../shared/units.js';
import type { LineAnnotation } from './lineCosts.js';

/** End of line: forward and backward time, and the share of the step. */
export function annotationText({ shown }: LineAnnotation, stale: boolean): string {
  const { forwardMs, backwardMs, share } = shown.cost;
  const text = `${milliseconds(forwardMs + backwardMs)} · ${percent(share)}`;
  return stale ? `${text} (stale: the file has changed since)` : text;
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
      `**${escape(model)}**`,
      '',
      'context | batch | forward | backward | optimizer | share of step | FLOPs | memory traffic',
      '--: | --: | --: | --: | --: | --: | --: | --:',
      ...rows,
    ].join('\n');
  });
  const head = `Crossover: this line in one training step; shown beside it: ${escape(shown.model)} at context ${integer(shown.context)}.`;
  const warning = 'The file has changed since it was measured: benchmark it again, or undo the edit.';
  return [head, ...(stale ? [warning] : []), ...tables].join('\n\n');
}

function escape(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>]/g, '\\$&');
}
