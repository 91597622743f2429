/** A traced model as programs of a decoder, which share one state. */
import { compileInit, compilePrepared } from '../compile.js';
import type { Compiled } from '../compiled.js';
import type { Mixer } from '../../../shared/report.js';
import { prepare } from '../frontend.js';
import { mixersOf } from '../mixers.js';
import type { Graph, Trace } from '../graph.js';
import { decoderWindows, longestWindow } from './decoder.js';
import { asStateTensor, type DecoderTensor } from './states.js';

export interface CompiledDecoder {
  /** The longest window that can be compiled. */
  readonly longestWindow: number;
  readonly tensors: readonly DecoderTensor[];
  /** The trace with the decoder's tensors in its state. */
  readonly trace: Trace;
  readonly mixers: readonly Mixer[];
  readonly init: Compiled;
  /** Tables and first states from the weights; runs before the first token. */
  readonly reset: Compiled;
  /** A program that reads `tokens` tokens; inputs `idx` and `position`, output `logits` of the newest. */
  readonly window: (tokens: number) => Compiled;
}

/** Compiles a trace of one sequence without targets. Throws one sentence naming the line that cannot be decoded. */
export function compileDecoder(trace: Trace, precision: 'fp32' | 'bf16'): CompiledDecoder {
  const { step } = prepare(trace, { mode: 'forward', keepLogits: true });
  const windowOf = decoderWindows(step, { context: trace.context, stateCount: trace.state.length });
  const first = windowOf(1);
  const whole = withTensors(trace, first.tensors);
  const mode = { mode: 'forward', precision, keepLogits: true } as const;
  const reset = compilePrepared(whole, first.reset, mode, first.resets);
  return {
    longestWindow: longestWindow(step, trace.context),
    tensors: first.tensors,
    trace: whole,
    mixers: mixersOf(step),
    init: compileInit(whole),
    reset,
    window: (tokens) => {
      const { graph, updates, tensors } = tokens === 1 ? first : windowOf(tokens);
      if (tensors.length !== first.tensors.length)
        throw new Error(`A window of ${tokens} tokens keeps other tensors than one of 1.`);
      return compilePrepared(whole, graph, mode, updates);
    },
  };
}

/** The decoder's tensors follow the model's; nothing is trained. */
function withTensors(trace: Trace, tensors: readonly DecoderTensor[]): Trace {
  const values: Graph['values'][number][] = [...trace.init.values];
  const nodes = [...trace.init.nodes];
  const added = tensors.map((tensor) => {
    const output = values.push(tensor.type) - 1;
    nodes.push({
      op: 'full',
      inputs: [],
      outputs: [output],
      attrs: { value: 0 },
      stack: 0,
      scope: 0,
      phase: 'init',
    });
    return asStateTensor(tensor, output);
  });
  const own = trace.state.map((tensor) => ({ ...tensor, requiresGrad: false }));
  return {
    ...trace,
    init: { ...trace.init, values, nodes },
    state: [...own, ...added],
    optimizer: null,
  };
}
