/** A traced model as a decoder: the tensors it keeps, and graphs that read windows of tokens. */
import type { Update } from '../compiled.js';
import type { Graph, Node, ValueId } from '../graph.js';
import { GraphError, integers, number } from '../ops/operation.js';
import { elementCount } from '../shapes.js';
import { removeDead } from '../simplify.js';
import { MIXING } from './mixing.js';
import { ruleOf } from './rules.js';
import type { Seen, Sequence } from './sequence.js';
import type { DecoderTensor } from './states.js';
import { type Findings, Walk, type WalkOptions } from './walk.js';

export interface DecoderWindow {
  /**
   * Inputs `idx` i64 [1, tokens] and `position` i64 [1], the tokens before the window; outputs `logits` f32 [vocab] of the
   * newest token, and `next.<state index>`.
   */
  readonly graph: Graph;
  readonly updates: readonly Update[];
  readonly tensors: readonly DecoderTensor[];
  /** Fills every tensor: tables from the weights, caches and states as before the first token. */
  readonly reset: Graph;
  readonly resets: readonly Update[];
}

/** The most tokens of a window: as many as the narrowest windowed attention sees, and not more than there is room for. */
export function longestWindow(graph: Graph, context: number): number {
  const windows = graph.nodes.flatMap(({ op, attrs }) =>
    op === 'sdpa' && number(attrs, 'window', 0) > 0 ? [number(attrs, 'window')] : [],
  );
  return Math.min(context, ...windows);
}

export type DecoderOptions = Pick<WalkOptions, 'context' | 'stateCount'>;

/**
 * Makes windows of a prepared graph (one sequence of `context` tokens) by their number of tokens; their tensors are the same.
 * Throws {@link GraphError} naming the line that cannot be decoded token by token.
 */
export function decoderWindows(graph: Graph, options: DecoderOptions): (tokens: number) => DecoderWindow {
  const logits = graph.outputs['logits'];
  if (logits === undefined)
    throw new GraphError(
      'The model gives no logits to choose the next token from: its forward should return them.',
    );
  const wanted = removeDead({ ...graph, outputs: { logits } });
  const look = walkOver(wanted, { ...options, tokens: 1, findings: null, needed: null });
  const findings: Findings = { seen: look.seen, delays: look.delays };
  const needed = neededValues(wanted, findings);
  return (tokens) => windowOf(wanted, { ...options, tokens, findings, needed });
}

function windowOf(graph: Graph, options: WalkOptions): DecoderWindow {
  const walk = walkOver(graph, options);
  const newest = walk.seen.get(graph.outputs['logits']!)!;
  if (newest.kind !== 'sequence')
    throw new GraphError('The logits of the model do not depend on its tokens, so that it cannot decode.');
  return {
    tensors: walk.tensors.all,
    graph: removeDead(walk.window.finish({ ...named(walk.updates), logits: vectorOf(walk, newest) })),
    updates: [...walk.updates].map(([index, { inPlace }]) => ({ name: nextName(index), index, inPlace })),
    reset: removeDead(walk.fixed.finish(named([...walk.firsts].map(([index, value]) => [index, { value }])))),
    resets: [...walk.firsts.keys()].map((index) => ({ name: nextName(index), index, inPlace: true })),
  };
}

const nextName = (index: number): string => `next.${index}`;

function named(values: Iterable<readonly [number, { readonly value: ValueId }]>): Record<string, ValueId> {
  return Object.fromEntries([...values].map(([index, { value }]) => [nextName(index), value]));
}

function walkOver(graph: Graph, options: WalkOptions): Walk {
  const walk = new Walk(graph, options);
  for (const node of graph.nodes) {
    walk.node = node;
    if (node.op === 'input') {
      walk.addInput(node);
      continue;
    }
    const inputs = node.inputs.map((id) => walk.seen.get(id)!);
    if (inputs.every((x) => x.kind === 'fixed')) {
      walk.addFixed(node);
      continue;
    }
    const outputs = ruleOf(walk, node)(walk, node, inputs);
    node.outputs.forEach((id, i) => walk.seen.set(id, outputs[i]!));
  }
  return walk;
}

/** Logits of the newest token, [vocab]. */
function vectorOf(walk: Walk, logits: Sequence): ValueId {
  const { value } = walk.lastOf(logits);
  return walk.window.reshape(value, [elementCount(walk.window.shape(value))]);
}

/** Values whose every row is needed: what operations across tokens read, and what that is made of. */
function neededValues(graph: Graph, { seen }: Findings): Set<ValueId> {
  const needed = new Set<ValueId>();
  for (const node of [...graph.nodes].reverse())
    if (movesTokens(graph, node, seen) || node.outputs.some((id) => needed.has(id)))
      node.inputs.forEach((id) => needed.add(id));
  return needed;
}

/** Whether a node reads other rows of tokens than the one it makes. */
function movesTokens(graph: Graph, { op, inputs, outputs, attrs }: Node, seen: Findings['seen']): boolean {
  if (op in MIXING) return true;
  const places = inputs.map((id) => seen.get(id)!);
  if ([...places, ...outputs.map((id) => seen.get(id)!)].some(({ kind }) => kind === 'spliced')) return true;
  const dim = places.find((x: Seen): x is Sequence => x.kind === 'sequence' && x.dim >= 0)?.dim;
  if (dim === undefined) return false;
  const size = (id: ValueId): number => graph.values[id]!.shape[dim]!;
  switch (op) {
    case 'slice':
      return size(inputs[0]!) !== size(outputs[0]!);
    case 'slice_scatter':
      return size(inputs[0]!) !== size(inputs[1]!);
    case 'pad':
      return integers(attrs, 'low')[dim] !== 0 || integers(attrs, 'high')[dim] !== 0;
    case 'cat':
    case 'cumsum':
    case 'cumprod':
      return number(attrs, 'dim') === dim;
    default:
      return false;
  }
}
