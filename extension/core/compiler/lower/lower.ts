/** A graph to kernels: places for values, then one or a few kernel calls per node or group, in order. */
import { type Group, type Groups, fuse } from '../fuse.js';
import type { Graph, ValueId } from '../graph.js';
import { emitAssemble } from './assemble.js';
import { emitGroup } from './emitGroup.js';
import { FOURIER_RULES } from './fourier.js';
import { INDEXING_RULES } from './indexing.js';
import type { Buffer } from './kernel.js';
import { Lowering, type Part } from './lowering.js';
import { NEURAL_RULES } from './neural.js';
import { SCAN_RULES } from './scans.js';
import { Placer } from './place.js';
import { productRule } from './products.js';
import { RANDOM_RULES } from './random.js';
import { Call, type KernelRule } from './rule.js';
import { GraphTable, LEAF_OPS, VIEW_OPS } from './table.js';
import { type View, sameView } from './view.js';

const RULES: Readonly<Record<string, KernelRule>> = {
  matmul: productRule,
  linear: productRule,
  ...NEURAL_RULES,
  ...SCAN_RULES,
  ...FOURIER_RULES,
  ...INDEXING_RULES,
  ...RANDOM_RULES,
};

/** Where tensors that outlive the program stand. */
export interface Boundary {
  readonly state: (index: number) => Buffer;
  readonly input: (name: string) => Buffer;
  /** Results to be left in io or state, by name of the graph output. */
  readonly results: ReadonlyMap<string, Buffer>;
}

export interface LowerOptions {
  readonly bf16: boolean;
}

/** Lowers a prepared graph. Throws one sentence that names an operation no kernel serves. */
export function lower(graph: Graph, boundary: Boundary, options: LowerOptions): Lowering {
  const table = new GraphTable(graph);
  const groups = fuse(table);
  const lowering = new Lowering(table, options.bf16);
  placeSources(lowering, boundary);
  const results = [...boundary.results].map(([name, buffer]) => {
    const value = graph.outputs[name]!;
    return { value, view: lowering.list.buffer(buffer, table.shape(value)) };
  });
  const placer = new Placer(lowering, groups, RULES);
  placer.run(new Map(results.map(({ value, view }) => [value, view])));
  emitAll(lowering, groups, placer);
  for (const { value, view } of results) finishResult(lowering, value, view);
  return lowering;
}

function placeSources(lowering: Lowering, boundary: Boundary): void {
  const { table, list } = lowering;
  const known = new Map<string, View>();
  for (const node of table.graph.nodes) {
    const key = node.op === 'state' ? `state ${node.attrs.index}` : `input ${node.attrs.name}`;
    if (node.op !== 'state' && node.op !== 'input') continue;
    const value = node.outputs[0]!;
    let view = known.get(key);
    if (!view) {
      const buffer =
        node.op === 'state'
          ? boundary.state(Number(node.attrs.index))
          : boundary.input(String(node.attrs.name));
      view = list.buffer(buffer, table.shape(value));
      known.set(key, view);
    }
    lowering.places.set(value, view);
  }
}

function emitAll(lowering: Lowering, groups: Groups, placer: Placer): void {
  const { table } = lowering;
  const { nodes } = table.graph;
  const order = nodes
    .map((_, index) => ({ index, group: groups.of[index] }))
    .filter(({ index, group }) => !group || group.nodes[0] === index)
    .map(({ index, group }) => ({ index, group, pin: group?.pin ?? index }))
    .sort((a, b) => a.pin - b.pin);
  for (const { index, group } of order) {
    if (group) emitGroupIfNeeded(lowering, group, placer);
    else emitNode(lowering, index);
  }
}

function emitGroupIfNeeded(lowering: Lowering, group: Group, placer: Placer): void {
  const { nodes } = lowering.table.graph;
  if (!group.nodes.some((index) => placer.inMemory(nodes[index]!.outputs[0]!))) return;
  emitGroup(lowering, group, (value) => placer.inMemory(value));
}

function emitNode(lowering: Lowering, index: number): void {
  const node = lowering.table.graph.nodes[index]!;
  if (VIEW_OPS.has(node.op) || LEAF_OPS.has(node.op)) return;
  if (node.op === 'assemble') {
    emitAssemble(lowering, node);
    return;
  }
  const rule = RULES[node.op];
  if (!rule) throw new Error(unsupported(lowering.table.graph, index));
  const call = new Call(lowering, node, rule, (value) => lowering.table.uses[value]!.length > 0);
  const update = rule.updates?.(node);
  if (update) startFromInput(lowering, call, node.inputs[update.input]!, node.outputs[update.output]!);
  rule.emit(call);
}

/** Copies what a kernel will add to, unless it already stands in the kernel's output. */
function startFromInput(lowering: Lowering, call: Call, base: ValueId, out: ValueId): void {
  const parts: Part[] = [{ stack: call.node.stack, scope: call.node.scope, weight: 1 }];
  const target = lowering.places.get(out)!;
  const source = lowering.source(base, call.node.phase, parts);
  if (source.kind === 'view' && sameView(source.view, target)) return;
  lowering.write(target, source, call.node.phase, parts);
}

/** Copies a value to where it is to be left, after everything that is made so far, unless it stands there already. */
export function finishResult(lowering: Lowering, value: ValueId, view: View): void {
  const source = lowering.source(value, 'forward', []);
  if (source.kind === 'view' && sameView(source.view, view)) return;
  const node = lowering.table.node(value)!;
  lowering.write(view, source, node.phase, [{ stack: node.stack, scope: node.scope, weight: 1 }]);
}

/** One sentence with the operation and the user's line. */
function unsupported(graph: Graph, index: number): string {
  const node = graph.nodes[index]!;
  const span = graph.spans[graph.stacks[node.stack]?.[0] ?? -1];
  const place = span ? `${graph.files[span.file]}:${span.line}` : 'the model';
  return `The operation ${node.op} at ${place} has no kernel: express it with other operations.`;
}
