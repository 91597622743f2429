import type { EvalSpec, Experiment } from '../../core/experiments/experiment.js';
import type { Arguments, Command, Option } from '../command.js';
import { evalDocument } from '../documents.js';
import {
  DATA_OPTIONS,
  dataOf,
  HEADS_OPTION,
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  modelsOf,
  trainOf,
  TRAIN_OPTIONS,
  VOCAB_OPTION,
  WEIGHTS_OPTION,
} from '../options.js';
import { endOf, runAndTell } from '../runCommand.js';
import { requireModels } from './requireModels.js';

export const RECALL_OPTIONS: readonly Option[] = [
  { name: 'recall-context', value: 'N', help: 'tokens per recall example; default 64' },
  { name: 'pairs', value: 'N', help: 'key-value pairs per recall example; default 4' },
  { name: 'recall-vocab', value: 'N', help: 'recall vocabulary, larger than its context; default 128' },
  { name: 'recall-steps', value: 'N', help: 'training steps on recall; default 200' },
  { name: 'recall-batch', value: 'N', help: 'recall examples per step; default 32' },
  { name: 'recall-lr', value: 'X', help: 'peak learning rate on recall; default 3e-3' },
];

/** The recall task that the options describe. */
export function recallOf(args: Arguments): EvalSpec {
  return {
    kind: 'mqar',
    context: args.whole('recall-context', 8) ?? 64,
    pairs: args.whole('pairs', 1) ?? 4,
    vocab: args.whole('recall-vocab', 4) ?? 128,
    steps: args.whole('recall-steps', 0) ?? 200,
    batch: args.whole('recall-batch', 1) ?? 32,
    learningRate: args.number('recall-lr') ?? 3e-3,
    seeds: args.wholes('seeds', 0) ?? [1],
  };
}

/** What the models can do. */
export const evaluate: Command = {
  name: 'eval',
  summary:
    'Scores the models: held-out bits per byte after training, and associative recall trained in place.',
  usage: 'MODEL... [options]',
  details: `${MODEL_DETAILS}
With --steps 0 held-out text is scored without training, as for --weights.`,
  options: [
    { name: 'task', value: 'NAME', help: 'heldout, mqar or all (default)' },
    ...DATA_OPTIONS,
    ...TRAIN_OPTIONS,
    ...RECALL_OPTIONS,
    VOCAB_OPTION,
    WEIGHTS_OPTION,
    HEADS_OPTION,
    ...MACHINE_OPTIONS,
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal) {
    const models = requireModels(modelsOf(args), 'eval');
    const task = args.choice('task', ['heldout', 'mqar', 'all']) ?? 'all';
    const heldOut: Partial<Experiment> = task === 'mqar' ? {} : { data: dataOf(args), train: trainOf(args) };
    const evals: EvalSpec[] = [
      ...(task === 'mqar' ? [] : [{ kind: 'heldout' } as const]),
      ...(task === 'heldout' ? [] : [recallOf(args)]),
    ];
    return endOf(
      await runAndTell(
        { version: 1, models, ...machineOf(args), ...heldOut, evals },
        args,
        terminal,
        evalDocument,
      ),
      terminal,
    );
  },
};
