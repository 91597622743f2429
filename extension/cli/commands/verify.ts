import { resolveModel } from '../../core/experiments/modelSource.js';
import { verify as verifyModel, type VerifyReport } from '../../core/verify/verify.js';
import type { Command } from '../command.js';
import {
  HEADS_OPTION,
  LAUNCH_OPTIONS,
  MODEL_DETAILS,
  modelOf,
  VOCAB_OPTION,
  vocabOf,
  WEIGHTS_OPTION,
} from '../options.js';
import type { Terminal } from '../terminal.js';
import { table } from '../text/table.js';
import { withEngine } from '../withEngine.js';

const SHOWN = 10;

/** The same file under PyTorch and here. */
export const verify: Command = {
  name: 'verify',
  summary:
    'Runs a model under a local PyTorch and under Crossover, and compares loss, logits and every gradient.',
  usage: 'MODEL [options]',
  details: `${MODEL_DETAILS}
Both sides get the same weights and tokens; without --weights the initial weights are compared too. Exit code 1 says
that a difference is above the tolerance.`,
  options: [
    { name: 'context', value: 'T', help: 'tokens per sequence; default 64' },
    { name: 'batch', value: 'B', help: 'sequences; default 2' },
    VOCAB_OPTION,
    WEIGHTS_OPTION,
    HEADS_OPTION,
    { name: 'seed', value: 'N', help: 'seed of initialisation and tokens; default 1337' },
    { name: 'python', value: 'PATH', help: 'Python with PyTorch; default python3' },
    { name: 'tolerance', value: 'X', help: 'largest relative difference; default 1e-4' },
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal) {
    const model = modelOf(args, 'verify');
    const root = process.cwd();
    const { label, file, expression, spec, vocab } = resolveModel(model, root);
    const shape = {
      context: args.whole('context', 1) ?? 64,
      batch: args.whole('batch', 1) ?? 2,
      vocab: vocabOf(args, () => vocab),
    };
    const seed = args.whole('seed', 0) ?? 1337;
    const { call, env, args: words, init, weights } = spec;
    const python = args.text('python');
    const tolerance = args.number('tolerance');
    const found = await withEngine((engine) =>
      verifyModel(
        {
          file,
          expression,
          ...shape,
          seed,
          weightsGiven: weights !== undefined,
          ...(call === undefined ? {} : { call }),
          ...(env === undefined ? {} : { env }),
          ...(words === undefined ? {} : { args: words }),
          ...(init === undefined ? {} : { init }),
          ...(python === undefined ? {} : { python }),
          ...(tolerance === undefined ? {} : { tolerance }),
        },
        async ({ idx, targets, weights: exportWeights, results: exportResults }) => {
          const asked = { method: 'evaluate', model, root, ...shape, precision: 'fp32', seed } as const;
          const more = { idx, targets, gradients: true, wantLogits: false, exportWeights, exportResults };
          return (await engine.ask<'evaluate'>({ ...asked, ...more })).loss ?? NaN;
        },
      ),
    );
    terminal.out(
      args.has('json') ? `${JSON.stringify({ model: label, ...found })}\n` : text(terminal, label, found),
    );
    if (!found.passed) terminal.err(`${label} differs from PyTorch by more than ${found.tolerance}.\n`);
    return found.passed ? 0 : 1;
  },
};

const relative = (value: number | null): string =>
  value === null ? 'cannot be compared' : value.toExponential(2);

function text(terminal: Terminal, label: string, found: VerifyReport): string {
  const { loss, logits, gradients, initial } = found;
  const worst = initial?.[0];
  const lines = [
    `${label} against PyTorch ${found.torch}, tolerance ${found.tolerance}`,
    `Loss             ${loss.crossover} here, ${loss.pytorch} there, relative difference ${relative(loss.relative)}`,
    logits === null
      ? 'Logits           none'
      : `Logits           relative difference ${relative(logits.relative)}`,
    `Gradients        ${gradients.length} compared, largest relative difference ${relative(found.largestGradient)}`,
    ...(worst === undefined
      ? []
      : [
          `Initial weights  ${initial!.length} compared, largest relative difference ${relative(worst.relative)}`,
        ]),
    ...found.notes,
  ];
  const rows = gradients
    .slice(0, SHOWN)
    .map(({ name, verdict, relative: by }) => [name, relative(by), verdict]);
  const verdict = found.passed ? 'Passed.' : 'Failed.';
  return `${lines.join('\n')}\n\n${table(terminal, ['Gradient', 'Relative', 'Verdict'], rows)}\n${verdict}\n`;
}
