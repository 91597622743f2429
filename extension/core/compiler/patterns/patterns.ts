/** Recognises what model files write out by hand and turns it into the fused operation, before differentiation. */
import { rewrite } from '../build.js';
import type { Graph, Node, Trace, ValueId } from '../graph.js';
import { dimOf } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { removeDead, SimplifyingBuilder } from '../simplify.js';
import { fuseActivation, fuseSoftmax } from './activations.js';
import { fuseAttention, simplifyAttention } from './attention.js';
import { fuseNormBias, fuseNormProduct } from './norms.js';
import { Contents, initialContents } from './steps.js';
import { Supports } from './support.js';
import { fuseWeightedAttention, scoreChain } from './weightedAttention.js';

function useCounts(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.values.length);
  for (const node of graph.nodes) for (const id of node.inputs) uses[id]!++;
  for (const id of Object.values(graph.outputs)) uses[id]!++;
  for (const custom of graph.customVjps) for (const id of [...custom.inputs, ...custom.outputs]) uses[id]!++;
  return uses;
}

type Fuse = (b: SimplifyingBuilder, node: Node, inputs: readonly ValueId[]) => ValueId | null;

function fused(graph: Graph, fuse: Fuse): Graph {
  const b = new SimplifyingBuilder(graph);
  const result = rewrite(graph, b, (_b, node, inputs) => {
    const value = fuse(b, node, inputs);
    return value === null ? null : [value];
  });
  return removeDead(result);
}

/** Activations, softmax, losses and norms: local patterns. */
export function fuseLocal(graph: Graph): Graph {
  const uses = useCounts(graph);
  return fused(graph, (b, node, inputs) => {
    const onlyUse = (i: number): boolean => uses[node.inputs[i]!] === 1;
    if (node.op === 'nll_loss') {
      const source = b.producer(inputs[0]!);
      if (source.op !== 'log_softmax' || dimOf(source.attrs, 2) !== 1) return null;
      return b.one('cross_entropy', [source.inputs[0]!, inputs[1]!], { ...node.attrs, labelSmoothing: 0 });
    }
    if (node.op === 'div') {
      const softmax = fuseSoftmax(b, inputs);
      if (softmax !== null) return softmax;
    }
    if (node.op === 'mul' || node.op === 'div') {
      const norm = fuseNormProduct(b, node, inputs, onlyUse);
      if (norm !== null) return norm;
    }
    if (node.op === 'add') {
      const norm = fuseNormBias(b, inputs, onlyUse);
      if (norm !== null) return norm;
    }
    if (node.inputs.length > 2 || !operation(node.op).scalar || node.op === 'cast' || node.op === 'detach')
      return null;
    const types = node.outputs.map((id) => graph.values[id]!);
    const [value] = b.emit(node.op, inputs, node.attrs, types);
    return fuseActivation(b, value!) ?? value!;
  });
}

/** softmax(q k^T + mask) v becomes `sdpa`, and an `sdpa` with a causal mask a causal one; masks are looked up in the graph that initialises the buffers. */
export function fuseAttentions(graph: Graph, trace: Pick<Trace, 'init' | 'state'>): Graph {
  if (!graph.nodes.some((node) => node.op === 'softmax' || node.op === 'sdpa')) return graph;
  const initial = initialContents(trace);
  let contents: Contents | null = null;
  return fused(graph, (b, node, inputs) => {
    if (node.op !== 'matmul' && node.op !== 'sdpa') return null;
    contents ??= contentsOf(b, graph, initial);
    return node.op === 'sdpa'
      ? simplifyAttention(b, contents, inputs, node.attrs)
      : fuseAttention(b, contents, inputs[0]!, inputs[1]!);
  });
}

/** ((q k^T) * w) v, with scores nobody else reads, becomes `weighted_attention`. */
export function fuseWeightedAttentions(graph: Graph, trace: Pick<Trace, 'init' | 'state'>): Graph {
  const producers = new Map<ValueId, Node>();
  for (const node of graph.nodes) for (const id of node.outputs) producers.set(id, node);
  const uses = useCounts(graph);
  const candidate = (node: Node): boolean => {
    if (node.op !== 'matmul') return false;
    const chain = scoreChain((value) => producers.get(value)!, node.inputs[0]!);
    return chain !== null && chain.length > 1 && chain.every((value) => uses[value] === 1);
  };
  const candidates = new Set(graph.nodes.filter(candidate));
  if (candidates.size === 0) return graph;
  const initial = initialContents(trace);
  let supports: Supports | null = null;
  return fused(graph, (b, node, inputs) => {
    if (!candidates.has(node)) return null;
    const chain = scoreChain((value) => b.producer(value), inputs[0]!);
    const supportsOf = (): Supports =>
      (supports ??= new Supports(
        (value) => b.producer(value),
        (value) => b.shape(value),
        contentsOf(b, graph, initial),
      ));
    return chain && fuseWeightedAttention(b, supportsOf, chain, inputs[1]!);
  });
}

function contentsOf(
  b: SimplifyingBuilder,
  graph: Graph,
  initial: ReturnType<typeof initialContents>,
): Contents {
  return new Contents(
    (value) => b.producer(value),
    (value) => b.shape(value),
    graph.constants,
    (value) => b.type(value),
    initial,
  );
}
