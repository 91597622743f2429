/** From a trace to a program. The list of passes stands in `compilePrepared`, top to bottom. */
import { assembleProgram } from './assembleProgram.js';
import type { Compiled, CompileOptions, IoPlace, Update } from './compiled.js';
import { explain, flopsByPhase } from './explain.js';
import { canonical } from './canonical.js';
import { prepare } from './frontend.js';
import { normalize } from './normalize.js';
import type { Graph, Trace } from './graph.js';
import { Io } from './io.js';
import { layoutState } from './layout.js';
import { absorbAdditions } from './lower/absorb.js';
import { duplicateProducers } from './lower/duplicate.js';
import { assembleRegions } from './lower/assemble.js';
import type { Buffer } from './lower/kernel.js';
import { dropUnread, expandTriangles } from './lower/legalize.js';
import { recomputeProducts } from './lower/recompute.js';
import { delayParameterGradients } from './lower/schedule.js';
import { type Boundary, finishResult, lower } from './lower/lower.js';
import type { Lowering } from './lower/lowering.js';
import { contiguous } from './lower/neural.js';
import { type View, product } from './lower/view.js';
import { mixersOf } from './mixers.js';
import { appendOptimizer } from './optimizer.js';
import { plan, withoutSelfCopies } from './plan.js';
import { serialize } from './serialize.js';
import { stripMine } from './strip.js';

/**
 * Compiles one trace for one mode. Throws one sentence naming an operation and its line when something has no kernel.
 * Programs of one trace share the state layout, so they can run over one state segment.
 */
export function compile(trace: Trace, options: CompileOptions): Compiled {
  const { step } = prepare(trace, options);
  return compilePrepared(trace, step, options);
}

/**
 * As {@link compile}, from a graph that is prepared already (VOCABULARY.md says what that means). `updates` are results that
 * are left in the state.
 */
export function compilePrepared(
  trace: Trace,
  prepared: Graph,
  options: CompileOptions,
  updates: readonly Update[] = [],
): Compiled {
  const layout = layoutState(trace.state);
  const io = new Io();
  const updated = new Map(updates.map((update) => [update.name, update]));
  const wanted = wantedOutputs(prepared, options, updated);

  const graph = [
    expandTriangles,
    dropUnread,
    assembleRegions,
    recomputeProducts,
    absorbAdditions,
    delayParameterGradients,
    duplicateProducers,
    dropUnread,
  ].reduce((current: Graph, pass) => pass(current), { ...prepared, outputs: wanted });

  const hyper = options.mode === 'train' ? io.add('f32', [4]) : null;
  const inputs = io.inputs(graph);
  const results = new Map<string, IoPlace>();
  for (const [name, value] of Object.entries(graph.outputs)) {
    if ((options.mode === 'train' && name.startsWith('grad.')) || updated.has(name)) continue;
    results.set(name, io.add('f32', graph.values[value]!.shape));
  }
  const gradNorm = options.mode === 'train' ? io.add('f32', []) : null;

  const stateBuffer = (index: number): Buffer => {
    const place = layout.tensors[index]!;
    const { storage, byteOffset } = place;
    return { storage, byteOffset, segment: 'state', elements: product(place.shape) };
  };
  const boundary: Boundary = {
    state: stateBuffer,
    input: (name) => ioBuffer(inputs.get(name)!),
    results: new Map([
      ...[...results].map(([name, place]) => [name, ioBuffer(place)] as const),
      ...updates
        .filter(({ inPlace }) => inPlace)
        .map(({ name, index }) => [name, stateBuffer(index)] as const),
    ]),
  };

  const lowering = lower(graph, boundary, { bf16: options.precision === 'bf16' });
  const parameter = (index: number) =>
    lowering.list.buffer(stateBuffer(index), trace.state[index]!.type.shape);
  for (const { name, index, inPlace } of updates)
    if (!inPlace) finishResult(lowering, graph.outputs[name]!, parameter(index));
  if (hyper && gradNorm) {
    const view = (place: IoPlace) => lowering.list.buffer(ioBuffer(place), place.shape);
    const gradients = gradientViews(lowering, graph);
    appendOptimizer(lowering.list, trace, layout, gradients, parameter, view(hyper), view(gradNorm));
  }

  const stripped = stripMine(lowering.list);
  const memory = plan(stripped);
  const sizes = { stateBytes: layout.byteLength, ioBytes: io.byteLength };
  const kernels = withoutSelfCopies(stripped, memory);
  const program = assembleProgram(kernels, memory, graph, sizes);
  const instructions = explain(kernels);

  const outputs = Object.fromEntries([...results].filter(([name]) => !name.startsWith('grad.')));
  return {
    program: serialize(program),
    ...sizes,
    arenaBytes: memory.arenaBytes,
    peakBytes: layout.byteLength + memory.arenaBytes + io.byteLength,
    layout,
    inputs: Object.fromEntries(inputs),
    outputs: gradNorm ? { ...outputs, gradNorm } : outputs,
    gradients: new Map(
      [...results].flatMap(([name, place]) =>
        name.startsWith('grad.') ? [[Number(name.slice(5)), place]] : [],
      ),
    ),
    hyper,
    instructions,
    mixers: mixersOf(prepared),
    flops: flopsByPhase(instructions),
  };
}

/**
 * The program that fills the state segment: draws in PyTorch's order from the session's generator, whose seed is the
 * session's (`NativeSession.seed`), and writes every state tensor. Moments start at zero, as fresh memory does.
 */
export function compileInit(trace: Trace): Compiled {
  const layout = layoutState(trace.state);
  const outputs = Object.fromEntries(trace.state.map(({ initial }, index) => [`state.${index}`, initial]));
  const inInit = (graph: Graph): Graph => ({
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, phase: 'init' })),
  });
  const passes = [
    (graph: Graph) => canonical(graph, false),
    normalize,
    expandTriangles,
    dropUnread,
    assembleRegions,
    inInit,
  ];
  const graph = passes.reduce((current, pass) => pass(current), { ...trace.init, outputs });

  const stateBuffer = (index: number): Buffer => {
    const { storage, byteOffset, shape } = layout.tensors[index]!;
    return { storage, byteOffset, segment: 'state', elements: product(shape) };
  };
  const boundary: Boundary = {
    state: stateBuffer,
    input: (name) => {
      throw new Error(`Initialisation reads the input ${name}: weights cannot depend on data.`);
    },
    results: new Map(trace.state.map((_, index) => [`state.${index}`, stateBuffer(index)])),
  };
  const lowering = lower(graph, boundary, { bf16: false });

  const memory = plan(lowering.list);
  const sizes = { stateBytes: layout.byteLength, ioBytes: 0 };
  const kernels = withoutSelfCopies(lowering.list, memory);
  const program = assembleProgram(kernels, memory, graph, sizes);
  return {
    program: serialize(program),
    ...sizes,
    arenaBytes: memory.arenaBytes,
    peakBytes: layout.byteLength + memory.arenaBytes,
    layout,
    inputs: {},
    outputs: {},
    gradients: new Map(),
    hyper: null,
    instructions: explain(kernels),
    mixers: [],
    flops: { forward: 0, backward: 0, optimizer: 0 },
  };
}

/** `loss` always, `logits` on request or when there is no loss, gradients unless only the forward pass is wanted. */
function wantedOutputs(
  graph: Graph,
  options: CompileOptions,
  updated: ReadonlyMap<string, Update>,
): Graph['outputs'] {
  const names = Object.keys(graph.outputs).filter((name) => {
    if (updated.has(name)) return true;
    if (name.startsWith('grad.')) return options.mode !== 'forward';
    if (name !== 'logits') return name === 'loss';
    return graph.outputs.loss === undefined || (options.keepLogits === true && options.mode !== 'train');
  });
  return Object.fromEntries(names.map((name) => [name, graph.outputs[name]!]));
}

function ioBuffer(place: IoPlace): Buffer {
  const { storage, byteOffset } = place;
  return { storage, byteOffset, segment: 'io', elements: product(place.shape) };
}

/** Gradients by state index, row-major in the arena. */
function gradientViews(lowering: Lowering, graph: Graph): ReadonlyMap<number, View> {
  const views = new Map<number, View>();
  for (const [name, value] of Object.entries(graph.outputs)) {
    if (!name.startsWith('grad.')) continue;
    const node = lowering.table.node(value)!;
    const parts = [{ stack: node.stack, scope: node.scope, weight: 1 }];
    views.set(Number(name.slice(5)), lowering.operand(value, contiguous, 'backward', parts));
  }
  return views;
}
