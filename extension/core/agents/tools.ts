/**
 * What agents may ask of Crossover, in the editor (language-model tools) and anywhere else (`crossover mcp`): the same tools,
 * described once. Whoever offers them runs the experiments and asks for leave first.
 */
import {
  DEFAULT_CONTEXTS,
  DEFAULT_SAMPLES,
  DEFAULT_TOKENS_PER_STEP,
  DEFAULT_VOCAB,
  defaultComparison,
} from '../experiments/defaults.js';
import type { Experiment } from '../experiments/experiment.js';
import { UsageError } from '../experiments/usageError.js';
import { validateExperiment } from '../experiments/validate.js';

/** The part of JSON Schema that describes inputs. */
export interface InputSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, PropertySchema>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

export type PropertySchema =
  | { readonly type: 'string' | 'integer' | 'boolean'; readonly description: string }
  | {
      readonly type: 'array';
      readonly items: { readonly type: 'string' | 'integer' };
      readonly description: string;
    };

export interface AgentTool {
  readonly title: string;
  /** For the language model: what it does, when to use it, what comes back. */
  readonly description: string;
  readonly inputSchema: InputSchema;
}

const MODEL =
  'a zoo id (gpt2, llama, mistral, rwkv4 to rwkv7, mamba, mamba2, mamba2_hybrid, retnet, gla, deltanet, lstm), a zoo id with a size such as gpt2:10M, or FILE.py::EXPRESSION, a Python expression that builds the nn.Module in the namespace of the file, with T (context), V (vocabulary) and B (batch) defined';
const MODELS: PropertySchema = {
  type: 'array',
  items: { type: 'string' },
  description: `Models, at least one; each is ${MODEL}.`,
};
const VOCAB: PropertySchema = { type: 'integer', description: `Vocabulary; default ${DEFAULT_VOCAB}.` };
const contexts = (what: string): PropertySchema => ({
  type: 'array',
  items: { type: 'integer' },
  description: what,
});

const schema = (
  required: readonly string[],
  properties: Readonly<Record<string, PropertySchema>>,
): InputSchema => ({ type: 'object', properties, required, additionalProperties: false });

export const TOOLS = {
  trace: {
    title: 'Trace a model',
    description:
      'Traces the PyTorch file of a language model in a sandbox and counts, without running it: parameters, FLOPs forward and backward, peak memory of a training step, and the lines that cost most. Takes seconds. Use it to see whether a model file works and what it would cost.',
    inputSchema: schema(['model'], {
      model: { type: 'string', description: `The model: ${MODEL}.` },
      context: { type: 'integer', description: 'Tokens per sequence; default 256.' },
      batch: { type: 'integer', description: 'Sequences per step; default 16.' },
      vocab: VOCAB,
    }),
  },
  benchmark: {
    title: 'Benchmark models',
    description:
      'Measures, on this machine, whole training steps of one or more language models at several context lengths, in turn, with 95% intervals and an A/A control, and says where one becomes faster than another. Takes minutes. Results stay in a run folder that the editor shows.',
    inputSchema: schema(['models'], {
      models: MODELS,
      contexts: contexts(
        `Contexts, tokens; each divides tokensPerStep. Default ${DEFAULT_CONTEXTS.join(', ')}.`,
      ),
      tokensPerStep: {
        type: 'integer',
        description: `Tokens of a step; default ${DEFAULT_TOKENS_PER_STEP}.`,
      },
      vocab: VOCAB,
    }),
  },
  decode: {
    title: 'Time decoding',
    description:
      'Measures, on this machine, the time per generated token after prompts of several lengths, the bytes of state that must be kept (keys and values, or recurrent states) and the time of the prompt, for causal language models as their files stand. Takes a minute or more.',
    inputSchema: schema(['models'], {
      models: MODELS,
      contexts: contexts('Lengths of the prompt, tokens; default 256, 1024, 4096.'),
      vocab: VOCAB,
    }),
  },
  compare: {
    title: 'Compare architectures',
    description:
      'Compares language models on this machine: training-step time against context, decoding, loss on the same text over two seeds, held-out bits per byte and associative recall, and where their curves cross. Takes five minutes or more. Use benchmark when only speed is asked for.',
    inputSchema: schema(['models'], {
      models: MODELS,
      contexts: contexts(`Contexts to time, tokens. Default ${DEFAULT_CONTEXTS.join(', ')}.`),
      steps: { type: 'integer', description: 'Training steps per seed; default 90.' },
      vocab: VOCAB,
    }),
  },
} as const satisfies Readonly<Record<string, AgentTool>>;

export type ToolName = keyof typeof TOOLS;

export const TOOL_NAMES = Object.keys(TOOLS) as ToolName[];

type Input = Readonly<Record<string, unknown>>;

/** The input of a tool, with every field of the type its schema names. Throws {@link UsageError} naming the field. */
export function readInput(name: ToolName, value: unknown): Input {
  const { properties, required }: InputSchema = TOOLS[name].inputSchema;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${name} takes an object with ${Object.keys(properties).join(', ')}.`);
  const input = value as Input;
  for (const key of required)
    if (input[key] === undefined)
      throw new UsageError(`${name} needs "${key}": ${properties[key]!.description}`);
  for (const [key, item] of Object.entries(input)) {
    const property = properties[key];
    if (property === undefined)
      throw new UsageError(`${name} has no "${key}"; it takes ${Object.keys(properties).join(', ')}.`);
    if (item !== undefined && !fits(property, item))
      throw new UsageError(`"${key}" of ${name} does not fit: ${property.description}`);
  }
  return input;
}

function fits(property: PropertySchema, value: unknown): boolean {
  if (property.type !== 'array') return isOf(property.type, value);
  return Array.isArray(value) && value.length > 0 && value.every((item) => isOf(property.items.type, item));
}

function isOf(type: 'string' | 'integer' | 'boolean', value: unknown): boolean {
  return type === 'integer' ? Number.isSafeInteger(value) && Number(value) > 0 : typeof value === type;
}

/** What a tool other than `trace` measures. Throws {@link UsageError}. */
export function experimentOf(name: Exclude<ToolName, 'trace'>, value: unknown): Experiment {
  const input = readInput(name, value);
  const preset = defaultComparison();
  const models = (input['models'] as readonly string[]).map((source) => ({ source }));
  const given = input['contexts'] as readonly number[] | undefined;
  const tokensPerStep = (input['tokensPerStep'] as number | undefined) ?? tokensFor(given);
  const timing = { contexts: given ?? DEFAULT_CONTEXTS, tokensPerStep, samples: DEFAULT_SAMPLES };
  const decode = { ...preset.decode!, ...(given === undefined ? {} : { contexts: given }) };
  const steps = input['steps'] as number | undefined;
  const train = { ...preset.train!, ...(steps === undefined ? {} : { steps }) };
  const parts = {
    benchmark: { timing },
    decode: { decode },
    compare: { timing, decode, train, data: preset.data, evals: preset.evals },
  }[name];
  return validateExperiment({
    version: 1,
    models,
    device: 'cpu',
    precision: 'fp32',
    vocab: (input['vocab'] as number | undefined) ?? DEFAULT_VOCAB,
    ...parts,
  });
}

/** The usual number of tokens, or as many as the longest context has. */
const tokensFor = (given: readonly number[] = []): number => Math.max(DEFAULT_TOKENS_PER_STEP, ...given);

export interface TraceInput {
  readonly model: string;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
}

/** Throws {@link UsageError}. */
export function traceInput(value: unknown): TraceInput {
  const input = readInput('trace', value);
  const whole = (key: string, usual: number): number => (input[key] as number | undefined) ?? usual;
  return {
    model: input['model'] as string,
    context: whole('context', 256),
    batch: whole('batch', 16),
    vocab: whole('vocab', DEFAULT_VOCAB),
  };
}
