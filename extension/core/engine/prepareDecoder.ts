/** model file -> trace -> programs of a decoder: the counterpart of `prepare` for reading prompts and making tokens. */
import type { Compiled } from '../compiler/compiled.js';
import { compileDecoder } from '../compiler/decode/compileDecoder.js';
import type { DecoderTensor } from '../compiler/decode/states.js';
import type { StateTensor } from '../compiler/graph.js';
import type { ModelSource } from '../experiments/modelSource.js';
import type { Tracer } from '../trace/tracer.js';
import { introductionOf, type Introduction, requireVocab, traceModel } from './prepare.js';

/** Tokens of a prompt that are read at once, at most. */
const LONGEST_WINDOW = 512;

export interface DecoderOptions {
  /** Tokens that the decoder is to hold. */
  readonly capacity: number;
  readonly vocab: number;
  readonly precision: 'fp32' | 'bf16';
  /** Lengths of the prompts that will be read from an empty state. */
  readonly prompts: readonly number[];
}

export interface PreparedDecoder extends Introduction {
  readonly model: ModelSource;
  readonly capacity: number;
  readonly vocab: number;
  readonly precision: 'fp32' | 'bf16';
  readonly init: Compiled;
  readonly reset: Compiled;
  /** By tokens of the window; 1 is always there. */
  readonly windows: ReadonlyMap<number, Compiled>;
  /** The model's tensors, then the decoder's. */
  readonly state: readonly StateTensor[];
  readonly tensors: readonly DecoderTensor[];
  readonly log: string;
}

/** How a prompt is read: in windows of `longest`, then what is left. */
export function windowsOf(tokens: number, longest: number): number[] {
  const whole = Array.from({ length: Math.floor(tokens / longest) }, () => longest);
  return tokens % longest === 0 ? whole : [...whole, tokens % longest];
}

/** Traces one sequence of `capacity` tokens and compiles. Rejects with a `TraceError` or a `CompileError`. */
export async function prepareDecoder(
  tracer: Tracer,
  model: ModelSource,
  options: DecoderOptions,
  signal?: AbortSignal,
): Promise<PreparedDecoder> {
  const { capacity, vocab, precision, prompts } = options;
  requireVocab(model, vocab);
  const shape = { context: capacity, batch: 1, vocab, targets: false, moduleMode: 'eval' } as const;
  const trace = await traceModel(tracer, model, shape, signal);
  const decoder = compileDecoder(trace, precision);
  const longest = Math.min(LONGEST_WINDOW, decoder.longestWindow);
  const lengths = new Set([1, ...prompts.flatMap((tokens) => windowsOf(tokens, longest))]);
  return {
    model,
    capacity,
    vocab,
    precision,
    init: decoder.init,
    reset: decoder.reset,
    windows: new Map([...lengths].map((tokens) => [tokens, decoder.window(tokens)])),
    state: decoder.trace.state,
    tensors: decoder.tensors,
    ...introductionOf(trace, decoder.mixers),
    log: trace.log,
  };
}
