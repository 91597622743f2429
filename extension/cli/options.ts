/** Options that several commands share, and the parts of an experiment they make. */
import { existsSync } from 'node:fs';
import {
  DEFAULT_CONTEXTS,
  DEFAULT_DECODE_CONTEXTS,
  DEFAULT_SAMPLES,
  DEFAULT_TOKENS_PER_STEP,
  DEFAULT_VOCAB,
} from '../core/experiments/defaults.js';
import type {
  DataSpec,
  DecodeSpec,
  Experiment,
  ModelSpec,
  TimingSpec,
  TrainSpec,
} from '../core/experiments/experiment.js';
import { parseSize } from '../core/experiments/modelSource.js';
import { UsageError } from '../core/experiments/usageError.js';
import { findZooModel } from '../core/experiments/zoo.js';
import type { Arguments, Option } from './command.js';

export const MODEL_DETAILS = `
MODEL is a zoo id (crossover models), a zoo id with a size such as gpt2:1.2M, or FILE.py::EXPRESSION, a
Python expression in the file's namespace with T (context), V (vocabulary) and B (batch) defined.`;

export const LAUNCH_OPTIONS: readonly Option[] = [
  { name: 'call', value: 'EXPRESSION', help: 'the forward call; default model(idx, targets), or model(idx)' },
  { name: 'env', value: 'K=V', help: 'environment variable the file sees', many: true },
  { name: 'arg', value: 'X', help: 'command-line argument the file sees', many: true },
  { name: 'init', value: 'EXPRESSION', help: 'run after construction, with model defined' },
];

export const MACHINE_OPTIONS: readonly Option[] = [
  { name: 'device', value: 'NAME', help: 'cpu (default)' },
  { name: 'precision', value: 'P', help: 'fp32 (default) or bf16' },
  { name: 'threads', value: 'N', help: 'CPU threads; default all cores' },
];

export const TIMING_OPTIONS: readonly Option[] = [
  { name: 'contexts', value: 'N,N...', help: `contexts to time; default ${DEFAULT_CONTEXTS.join(',')}` },
  { name: 'tokens-per-step', value: 'N', help: `default ${DEFAULT_TOKENS_PER_STEP}` },
  { name: 'samples', value: 'N', help: `timed steps per model and context; default ${DEFAULT_SAMPLES}` },
];

const DECODE_CONTEXTS = `prompts to decode after, tokens; default ${DEFAULT_DECODE_CONTEXTS.join(',')}`;

export const DECODE_OPTIONS: readonly Option[] = [
  { name: 'contexts', value: 'N,N...', help: DECODE_CONTEXTS },
  { name: 'samples', value: 'N', help: `samples per model and context; default ${DEFAULT_SAMPLES}` },
];

/** Beside the options of timing. */
export const DECODE_CONTEXTS_OPTION: Option = {
  name: 'decode-contexts',
  value: 'N,N...',
  help: DECODE_CONTEXTS,
};

export const TOKENIZER_OPTIONS: readonly Option[] = [
  { name: 'tokenizer', value: 'NAME', help: 'byte (default), gpt2 or rwkv' },
  { name: 'vocabulary', value: 'FILE', help: 'vocabulary of gpt2 (encoder.json) or rwkv' },
];

export const DATA_OPTIONS: readonly Option[] = [
  { name: 'data', value: 'PATH', help: 'file or folder of text; default text found on this machine' },
  ...TOKENIZER_OPTIONS,
];

export const TRAIN_OPTIONS: readonly Option[] = [
  { name: 'context', value: 'N', help: 'tokens per sequence; default 256' },
  { name: 'batch', value: 'N', help: 'sequences per step; default 16' },
  { name: 'steps', value: 'N', help: 'training steps; default 100' },
  { name: 'lr', value: 'X', help: 'peak learning rate; default 1e-3' },
  { name: 'min-lr', value: 'X', help: 'last learning rate; default a tenth of the peak' },
  { name: 'warmup', value: 'N', help: 'warm-up steps; default a twentieth of the steps' },
  { name: 'weight-decay', value: 'X', help: 'default 0.1' },
  { name: 'clip', value: 'X', help: 'limit of the gradient norm, 0 for none; default 1' },
  { name: 'seeds', value: 'N,N...', help: 'default 1' },
  { name: 'eval-every', value: 'N', help: 'held-out loss every N steps; default an eighth of the steps' },
];

export const VOCAB_OPTION: Option = {
  name: 'vocab',
  value: 'V',
  help: `vocabulary; default ${DEFAULT_VOCAB}`,
};
export const PARAMETERS_OPTION: Option = {
  name: 'parameters',
  value: 'N',
  help: 'size of zoo models outside embeddings and head, such as 10M; within 3%',
};
export const WEIGHTS_OPTION: Option = {
  name: 'weights',
  value: 'FILE',
  help: 'checkpoint to start from: .safetensors, or a file of torch.save (.pt, .pth, .bin); a zoo model takes its sizes',
};
export const HEADS_OPTION: Option = {
  name: 'heads',
  value: 'N',
  help: 'attention heads, where the checkpoint of a zoo model does not say them',
};

const set = <K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };

/** A zoo id without a size gets the one that was asked for; any other model stays as it is. */
export const sized = (source: string, size: string | undefined): string =>
  size === undefined || findZooModel(source) === null ? source : `${source}:${size}`;

/** The models named on the command line, all with the same launch configuration. */
export function modelsOf(args: Arguments): ModelSpec[] {
  const env = args.pairs('env');
  const extra = args.texts('arg');
  const launch = {
    ...set('call', args.text('call')),
    ...set('init', args.text('init')),
    ...set('weights', args.text('weights')),
    ...set('heads', args.whole('heads', 1)),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(extra.length === 0 ? {} : { args: extra }),
  };
  const size = args.text('parameters');
  if (size !== undefined) parseSize(size);
  return args.positionals.map((source) => ({ source: sized(source, size), ...launch }));
}

/** The one model a command takes. */
export function modelOf(args: Arguments, command: string): ModelSpec {
  const models = modelsOf(args);
  if (models.length !== 1)
    throw new UsageError(
      `crossover ${command} takes one MODEL, not ${models.length}; see crossover ${command} --help.`,
    );
  return models[0]!;
}

/** The vocabulary asked for; else the one that the model's checkpoint has, else the default. */
export function vocabOf(args: Arguments, ofCheckpoint: () => number | undefined): number {
  return args.whole('vocab', 2) ?? ofCheckpoint() ?? DEFAULT_VOCAB;
}

/** The part of an experiment that says where and on what. */
export function machineOf(args: Arguments): Pick<Experiment, 'device' | 'precision' | 'threads' | 'vocab'> {
  const device = args.text('device') ?? 'cpu';
  if (device !== 'cpu')
    throw new UsageError(`There is no device "${device}" on this machine; crossover devices lists them.`);
  return {
    device,
    precision: args.choice('precision', ['fp32', 'bf16']) ?? 'fp32',
    vocab: args.whole('vocab', 2) ?? DEFAULT_VOCAB,
    ...set('threads', args.whole('threads', 1)),
  };
}

export function timingOf(args: Arguments): TimingSpec {
  const tokensPerStep = args.whole('tokens-per-step', 1) ?? DEFAULT_TOKENS_PER_STEP;
  const contexts =
    args.wholes('contexts', 1) ?? DEFAULT_CONTEXTS.filter((context) => tokensPerStep % context === 0);
  return { contexts, tokensPerStep, samples: args.whole('samples', 5) ?? DEFAULT_SAMPLES };
}

/** `contexts`: name of the option that has them. */
export function decodeOf(args: Arguments, contexts: 'contexts' | 'decode-contexts'): DecodeSpec {
  return {
    contexts: args.wholes(contexts, 1) ?? DEFAULT_DECODE_CONTEXTS,
    samples: args.whole('samples', 5) ?? DEFAULT_SAMPLES,
  };
}

export function trainOf(args: Arguments): TrainSpec {
  return {
    context: args.whole('context', 1) ?? 256,
    batch: args.whole('batch', 1) ?? 16,
    steps: args.whole('steps', 0) ?? 100,
    learningRate: args.number('lr') ?? 1e-3,
    weightDecay: args.number('weight-decay') ?? 0.1,
    clip: args.number('clip') ?? 1,
    seeds: args.wholes('seeds', 0) ?? [1],
    ...set('minLearningRate', args.number('min-lr')),
    ...set('warmupSteps', args.whole('warmup', 0)),
    ...set('evalEvery', args.whole('eval-every', 1)),
  };
}

export function dataOf(args: Arguments): DataSpec {
  const path = args.text('data');
  if (path !== undefined && !existsSync(path))
    throw new UsageError(`${path} does not exist: --data takes a file or folder of text.`);
  return {
    tokenizer: args.choice('tokenizer', ['byte', 'gpt2', 'rwkv']) ?? 'byte',
    ...set('path', path),
    ...set('vocabulary', args.text('vocabulary')),
  };
}
