/** model file -> trace -> programs. What comes back is small: the trace is let go as soon as it is compiled. */
import type { Mixer } from '../../shared/report.js';
import { compile, compileInit } from '../compiler/compile.js';
import { parameterGroups } from '../compiler/optimizer.js';
import type { Compiled } from '../compiler/compiled.js';
import type { Graph, StateTensor, Trace } from '../compiler/graph.js';
import type { ModelSource } from '../experiments/modelSource.js';
import { UsageError } from '../experiments/usageError.js';
import type { Tracer } from '../trace/tracer.js';
import type { SourceTables } from './attribution.js';

export type Mode = 'train' | 'gradients' | 'forward';

export interface PrepareOptions {
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  readonly precision: 'fp32' | 'bf16';
  readonly modes: readonly Mode[];
  readonly keepLogits?: boolean;
  /** Without targets: logits only. */
  readonly targets?: boolean;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly moduleMode?: 'train' | 'eval';
}

/** What a report says of a model before anything is measured. */
export interface Introduction {
  readonly parameters: number;
  readonly embeddingParameters: number;
  /** Channels of the residual stream: the row of the first table that is looked up; `null` without one. */
  readonly width: number | null;
  readonly mixers: readonly Mixer[];
}

/** A model at one (context, batch, vocabulary), ready to be loaded. */
export interface Prepared extends Introduction {
  readonly model: ModelSource;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  readonly precision: 'fp32' | 'bf16';
  readonly init: Compiled;
  readonly programs: ReadonlyMap<Mode, Compiled>;
  readonly state: readonly StateTensor[];
  readonly tables: SourceTables;
  readonly nodes: number;
  /** Targets equal to this are not counted by the model's loss; `null` when its loss is not a cross-entropy. */
  readonly ignoreIndex: number | null;
  readonly hasOptimizer: boolean;
  /** Whether training draws random numbers (dropout). */
  readonly hasDropout: boolean;
  readonly log: string;
  readonly traceMs: number;
  readonly compileMs: number;
}

/** Traces and compiles. Rejects with a `TraceError` or a `CompileError`. */
export async function prepare(
  tracer: Tracer,
  model: ModelSource,
  options: PrepareOptions,
  signal?: AbortSignal,
): Promise<Prepared> {
  requireVocab(model, options.vocab);
  const started = performance.now();
  const trace = await traceModel(tracer, model, options, signal);
  const traced = performance.now();
  const prepared = fromTrace(model, trace, options);
  return { ...prepared, traceMs: traced - started, compileMs: performance.now() - traced };
}

/** Throws {@link UsageError} when tokens of the run would be outside the vocabulary of the model's checkpoint. */
export function requireVocab({ label, vocab }: ModelSource, wanted: number): void {
  if (vocab !== undefined && vocab < wanted)
    throw new UsageError(
      `The checkpoint of ${label} has a vocabulary of ${vocab}, smaller than the run's ${wanted}: set it with --vocab ${vocab}.`,
    );
}

/** Traces a model with its launch configuration. */
export function traceModel(
  tracer: Tracer,
  model: ModelSource,
  options: Omit<PrepareOptions, 'modes' | 'precision'>,
  signal?: AbortSignal,
): Promise<Trace> {
  const { spec } = model;
  return tracer.trace(
    {
      file: model.file,
      expression: model.expression,
      context: options.context,
      batch: options.batch,
      vocab: options.vocab,
      ...(spec.call === undefined ? {} : { call: spec.call }),
      ...(spec.env === undefined ? {} : { env: spec.env }),
      ...(spec.args === undefined ? {} : { args: spec.args }),
      ...(spec.init === undefined ? {} : { init: spec.init }),
      ...(options.targets === undefined ? {} : { targets: options.targets }),
      ...(options.moduleMode === undefined ? {} : { moduleMode: options.moduleMode }),
      ...(options.learningRate === undefined ? {} : { learningRate: options.learningRate }),
      ...(options.weightDecay === undefined ? {} : { weightDecay: options.weightDecay }),
    },
    signal,
  );
}

/** Compiles every mode that was asked for. */
function fromTrace(
  model: ModelSource,
  trace: Trace,
  options: PrepareOptions,
): Omit<Prepared, 'traceMs' | 'compileMs'> {
  const { precision, keepLogits = false } = options;
  const configured = { ...trace, optimizer: parameterGroups(trace, options.weightDecay) };
  const programs = new Map(
    options.modes.map((mode) => [
      mode,
      compile(configured, { mode, precision, keepLogits: keepLogits && mode !== 'train' }),
    ]),
  );
  const { files, spans, stacks, scopes } = trace.forward;
  return {
    model,
    context: trace.context,
    batch: trace.batch,
    vocab: trace.vocab,
    precision,
    init: compileInit(trace),
    programs,
    state: trace.state,
    tables: { files, spans, stacks, scopes },
    nodes: trace.forward.nodes.length,
    ...introductionOf(trace, [...programs.values()][0]?.mixers ?? []),
    ignoreIndex: ignoreIndexOf(trace.forward),
    hasOptimizer: trace.optimizer !== null,
    hasDropout: trace.forward.nodes.some(({ op }) => op === 'dropout'),
    log: trace.log,
  };
}

export function introductionOf(trace: Trace, mixers: readonly Mixer[]): Introduction {
  return { ...countParameters(trace), width: widthOf(trace.forward), mixers };
}

/** Parameters, tied ones once, and those that are only looked up (inputs of `embedding` and of nothing else). */
function countParameters({ state, forward }: Trace): { parameters: number; embeddingParameters: number } {
  const users = new Map<number, Set<string>>();
  const stateOf = new Map<number, number>();
  for (const node of forward.nodes) {
    if (node.op === 'state') stateOf.set(node.outputs[0]!, Number(node.attrs['index']));
    for (const input of node.inputs) {
      const index = stateOf.get(input);
      if (index !== undefined) users.set(index, (users.get(index) ?? new Set()).add(node.op));
    }
  }
  let parameters = 0;
  let embeddingParameters = 0;
  state.forEach((tensor, index) => {
    if (tensor.kind !== 'parameter') return;
    const size = tensor.type.shape.reduce((product, dim) => product * dim, 1);
    parameters += size;
    const used = users.get(index);
    if (used?.size === 1 && used.has('embedding')) embeddingParameters += size;
  });
  return { parameters, embeddingParameters };
}

function widthOf({ nodes, values }: Graph): number | null {
  const lookup = nodes.find(({ op }) => op === 'embedding');
  return lookup === undefined ? null : (values[lookup.outputs[0]!]!.shape.at(-1) ?? null);
}

function ignoreIndexOf(forward: Graph): number | null {
  const loss = forward.nodes.findLast(({ op }) => op === 'cross_entropy' || op === 'nll_loss');
  const ignore = loss?.attrs['ignoreIndex'];
  return typeof ignore === 'number' ? ignore : null;
}
