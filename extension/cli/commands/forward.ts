import { UsageError } from '../../core/experiments/usageError.js';
import { resolveModel } from '../../core/experiments/modelSource.js';
import type { Command } from '../command.js';
import {
  HEADS_OPTION,
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  modelOf,
  VOCAB_OPTION,
  vocabOf,
  WEIGHTS_OPTION,
} from '../options.js';
import { table } from '../text/table.js';
import { withEngine } from '../withEngine.js';

const SHOWN_LOGITS = 8;

/** One pass through a model on given tokens. */
export const forward: Command = {
  name: 'forward',
  summary:
    'Runs a model once on given tokens: logits, loss, and with --grad the gradient norm of every parameter.',
  usage: 'MODEL --tokens 1,2,3 [options]',
  details: `${MODEL_DETAILS}
The target of each token is the next one; the last has none unless --targets gives it.`,
  options: [
    { name: 'tokens', value: 'N,N...', help: 'token ids' },
    { name: 'targets', value: 'N,N...', help: 'target ids, as many; -1 for a place that is not counted' },
    WEIGHTS_OPTION,
    HEADS_OPTION,
    { name: 'seed', value: 'N', help: 'seed of the initialisation; default 0' },
    { name: 'grad', help: 'also the gradient norms' },
    VOCAB_OPTION,
    ...MACHINE_OPTIONS,
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal) {
    const model = modelOf(args, 'forward');
    const { precision, threads } = machineOf(args);
    const vocab = vocabOf(args, () => resolveModel(model, process.cwd()).vocab);
    const idx = args.wholes('tokens', 0);
    if (idx === undefined) throw new UsageError('crossover forward needs --tokens, such as --tokens 1,2,3.');
    const tooLarge = idx.find((token) => token >= vocab);
    if (tooLarge !== undefined)
      throw new UsageError(`Token ${tooLarge} is outside the vocabulary of ${vocab}: set it with --vocab.`);
    const targets = args.wholes('targets', -1) ?? [...idx.slice(1), -1];
    if (targets.length !== idx.length)
      throw new UsageError(`--targets has ${targets.length} ids and --tokens has ${idx.length}.`);
    const outside = targets.find((target) => target >= vocab);
    if (outside !== undefined)
      throw new UsageError(`Target ${outside} is outside the vocabulary of ${vocab}: set it with --vocab.`);
    const found = await withEngine((engine) =>
      engine.ask<'evaluate'>({
        method: 'evaluate',
        model,
        root: process.cwd(),
        context: idx.length,
        batch: 1,
        vocab,
        precision,
        seed: args.whole('seed', 0) ?? 0,
        ...(threads === undefined ? {} : { threads }),
        idx,
        targets: targets.every((target) => target === -1) ? null : targets,
        gradients: args.has('grad'),
        wantLogits: true,
      }),
    );
    const { loss, gradientNorms, label, unusedWeights, weightNotes } = found;
    for (const note of weightNotes) terminal.err(`${note}\n`);
    if (unusedWeights.length > 0)
      terminal.err(
        `The weights file has ${unusedWeights.length} tensors that ${label} does not have, such as "${unusedWeights[0]}"; they were left out.\n`,
      );
    const logits = rows(found.logits?.values ?? [], found.logits?.shape.at(-1) ?? 1);
    if (args.has('json')) {
      terminal.out(`${JSON.stringify({ model: label, logits, loss, gradientNorms })}\n`);
      return 0;
    }
    const shown = logits.map((row, position) => {
      const best = row
        .map((value, id) => ({ value, id }))
        .sort((a, b) => b.value - a.value)
        .slice(0, SHOWN_LOGITS);
      return `${String(position).padStart(4)}: ${best.map(({ value, id }) => `${id} (${value.toFixed(3)})`).join('  ')}`;
    });
    terminal.out(
      `${label}\nLoss: ${loss === null ? 'none' : loss.toFixed(6)}\nLargest logits per position:\n${shown.join('\n')}\n`,
    );
    const norms = Object.entries(gradientNorms).map(([name, norm]) => [name, norm.toExponential(4)]);
    if (norms.length > 0) terminal.out(`\n${table(terminal, ['Parameter', 'Gradient norm'], norms)}`);
    return 0;
  },
};

function rows(values: readonly number[], width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) =>
    values.slice(row * width, (row + 1) * width),
  );
}
