/**
 * Reverse-mode differentiation (the forward graph, then the gradients of `loss` in reverse order).
 *
 * The gradient graph is made of the same operations as every other graph. A backward node carries the stack and scope
 * of the forward node it belongs to. A user's `autograd.Function` is honoured: gradients arriving at its outputs go
 * through the nodes its `backward` recorded.
 */
import { sumOf } from './accumulate.js';
import { GraphBuilder, rewrite } from './build.js';
import type { CustomVjp, Graph, Node, ValueId } from './graph.js';
import { attentionNodes } from './ops/attention.js';
import { GraphError, number } from './ops/operation.js';
import { operation } from './ops/table.js';
import { isFloat, sameShape, show } from './shapes.js';

/** Which values a gradient flows to: reached from a wanted source through differentiable operations. */
function findActive(graph: Graph, wanted: (node: Node) => boolean): Uint8Array {
  const active = new Uint8Array(graph.values.length);
  const customOutputs = new Map<ValueId, CustomVjp>();
  for (const custom of graph.customVjps) for (const id of custom.outputs) customOutputs.set(id, custom);
  for (const node of graph.nodes) {
    const flows =
      wanted(node) || (operation(node.op).vjp !== undefined && node.inputs.some((id) => active[id]));
    for (const id of node.outputs) {
      const custom = customOutputs.get(id);
      const reached = custom ? custom.inputs.some((input) => active[input]) : flows;
      if (reached && isFloat(graph.values[id]!.dtype)) active[id] = 1;
    }
  }
  return active;
}

/**
 * Nodes the named outputs need, and those a gradient reaches through a custom one although its outputs do not need
 * them; what only custom gradients need is emitted with them.
 */
function neededForOutputs(graph: Graph, producers: Int32Array): Uint8Array {
  const needed = new Uint8Array(graph.nodes.length);
  const customInputs = new Map<number, ValueId[]>();
  for (const { inputs, outputs } of graph.customVjps)
    for (const id of outputs)
      customInputs.set(producers[id]!, [...(customInputs.get(producers[id]!) ?? []), ...inputs]);
  for (const id of Object.values(graph.outputs)) needed[producers[id]!] = 1;
  for (let index = graph.nodes.length - 1; index >= 0; index--)
    if (needed[index])
      for (const id of [...graph.nodes[index]!.inputs, ...(customInputs.get(index) ?? [])])
        needed[producers[id]!] = 1;
  return needed;
}

class Differentiator {
  private readonly producers: Int32Array;
  private readonly needed: Uint8Array;
  private readonly active: Uint8Array;
  /** Value of the source graph to value of the result. */
  private readonly map: Int32Array;
  private readonly contributions = new Map<ValueId, ValueId[]>();
  private readonly customAt = new Map<number, CustomVjp>();
  private readonly ownedByCustom = new Set<ValueId>();

  constructor(
    private readonly graph: Graph,
    private readonly b: GraphBuilder,
    wanted: (node: Node) => boolean,
  ) {
    this.producers = new Int32Array(graph.values.length);
    graph.nodes.forEach((node, index) => node.outputs.forEach((id) => (this.producers[id] = index)));
    this.map = new Int32Array(graph.values.length).fill(-1);
    this.needed = neededForOutputs(graph, this.producers);
    this.active = findActive(graph, wanted);
    for (const custom of graph.customVjps) {
      const last = Math.max(...custom.outputs.map((id) => this.producers[id]!));
      this.customAt.set(last, custom);
      for (const id of custom.outputs) this.ownedByCustom.add(id);
    }
  }

  copyForward(): void {
    this.graph.nodes.forEach((node, index) => {
      if (this.needed[index]) this.copy(node, this.map);
    });
  }

  /** Copies one node; an operation that saves for its gradient gets its extra outputs when a gradient passes it. */
  private copy(node: Node, map: { [id: ValueId]: ValueId }): void {
    const { graph, b } = this;
    const inputs = node.inputs.map((id) => map[id]!);
    const saves = operation(node.op).saves && node.inputs.some((id) => this.active[id]);
    const types = saves ? undefined : node.outputs.map((id) => graph.values[id]!);
    const outputs = b
      .at(node)
      .emit(node.op, inputs, saves ? { ...node.attrs, save: true } : node.attrs, types);
    node.outputs.forEach((id, i) => (map[id] = outputs[i]!));
  }

  private contribute(id: ValueId, gradient: ValueId | null): void {
    if (gradient === null || !this.active[id]) return;
    const [given, expected] = [this.b.shape(gradient), this.graph.values[id]!.shape];
    if (!sameShape(given, expected))
      throw new GraphError(`a gradient is ${show(given)} and its value ${show(expected)}`);
    const list = this.contributions.get(id);
    if (list) list.push(gradient);
    else this.contributions.set(id, [gradient]);
  }

  private take(id: ValueId): ValueId | null {
    const list = this.contributions.get(id);
    this.contributions.delete(id);
    return list ? sumOf(this.b, list) : null;
  }

  backward(loss: ValueId): Map<number, ValueId> {
    const { graph, b } = this;
    const gradients = new Map<number, ValueId>();
    b.at(graph.nodes[this.producers[loss]!]!, 'backward');
    this.contribute(loss, b.full(1, graph.values[loss]!));
    for (let index = graph.nodes.length - 1; index >= 0; index--) {
      const node = graph.nodes[index]!;
      if (!this.needed[index]) continue;
      b.at(node, 'backward');
      const custom = this.customAt.get(index);
      if (custom) this.custom(custom);
      if (node.outputs.some((id) => this.ownedByCustom.has(id))) continue;
      const dys = node.outputs.map((id) => this.take(id));
      if (dys.every((dy) => dy === null)) continue;
      if (node.op === 'state') {
        const state = number(node.attrs, 'index');
        const other = gradients.get(state);
        gradients.set(state, other === undefined ? dys[0]! : b.add(other, dys[0]!));
        continue;
      }
      this.node(node, dys);
    }
    return gradients;
  }

  private node(node: Node, dys: (ValueId | null)[]): void {
    const { b, map } = this;
    const { vjp, saves } = operation(node.op);
    if (!vjp) return;
    const first = map[node.outputs[0]!]!;
    const results = vjp({
      b,
      inputs: node.inputs.map((id) => map[id]!),
      outputs: saves ? b.producer(first).outputs : node.outputs.map((id) => map[id]!),
      attrs: node.attrs,
      dys,
      wants: (i) => this.active[node.inputs[i]!] === 1,
    });
    node.inputs.forEach((id, i) => this.contribute(id, results[i] ?? null));
  }

  /** Splices in the nodes a user's `backward` recorded, with the incoming gradients for its `cotangent` nodes. */
  private custom(custom: CustomVjp): void {
    const { graph, b } = this;
    const dys = custom.outputs.map((id) => this.take(id));
    if (dys.every((dy) => dy === null)) return;
    const local = new Map<ValueId, ValueId>();
    custom.cotangents.forEach((id, i) => local.set(id, dys[i] ?? b.full(0, graph.values[id]!)));
    const resolve = (id: ValueId): ValueId | undefined =>
      local.get(id) ?? (this.map[id]! >= 0 ? this.map[id]! : undefined);
    const cone = new Set<number>();
    const pending = custom.gradients.filter((id) => id !== null);
    while (pending.length > 0) {
      const id = pending.pop()!;
      const index = this.producers[id]!;
      if (resolve(id) !== undefined || cone.has(index)) continue;
      cone.add(index);
      pending.push(...graph.nodes[index]!.inputs);
    }
    for (const index of [...cone].sort((x, y) => x - y)) {
      const node = graph.nodes[index]!;
      const types = node.outputs.map((id) => graph.values[id]!);
      const outputs = b.at(node, 'backward').emit(
        node.op,
        node.inputs.map((id) => resolve(id)!),
        node.attrs,
        types,
      );
      node.outputs.forEach((id, i) => local.set(id, outputs[i]!));
    }
    custom.gradients.forEach((id, i) =>
      this.contribute(custom.inputs[i]!, id === null ? null : resolve(id)!),
    );
  }

  output(name: string): ValueId {
    return this.map[this.graph.outputs[name]!]!;
  }
}

/** Attention whose mask wants a gradient is taken apart; the fused gradient has none for the mask. */
function openMaskedAttention(graph: Graph, wanted: (node: Node) => boolean): Graph {
  const active = findActive(graph, wanted);
  const open = (node: Node): boolean =>
    node.op === 'sdpa' && node.inputs.length === 4 && active[node.inputs[3]!] === 1;
  if (!graph.nodes.some(open)) return graph;
  return rewrite(graph, new GraphBuilder(graph), (b, node, inputs) =>
    open(node) ? [attentionNodes(b, inputs, node.attrs)] : null,
  );
}

export interface DifferentiateOptions {
  /** Whether state tensor `index` has a gradient. */
  readonly requiresGrad: (index: number) => boolean;
  /** Where to write; a simplifying builder may be given. */
  readonly builder?: (graph: Graph) => GraphBuilder;
}

/**
 * Appends the gradient of output `loss` (0-dimensional) with respect to every reached state tensor that requires
 * one, as outputs `grad.<state index>`. Throws {@link GraphError} when there is no such loss.
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  if (graph.outputs['loss'] === undefined)
    throw new GraphError('the graph has no output called loss to differentiate');
  const wanted = (node: Node): boolean =>
    node.op === 'state' && options.requiresGrad(number(node.attrs, 'index'));
  const source = openMaskedAttention(graph, wanted);
  const loss = source.outputs['loss']!;
  const { shape } = source.values[loss]!;
  if (shape.length !== 0) throw new GraphError(`the loss is ${show(shape)} and should be one number`);
  const b = options.builder?.(source) ?? new GraphBuilder(source);
  const differentiator = new Differentiator(source, b, wanted);
  differentiator.copyForward();
  const gradients = differentiator.backward(loss);
  const outputs: Record<string, ValueId> = {};
  for (const name of Object.keys(source.outputs)) outputs[name] = differentiator.output(name);
  for (const index of [...gradients.keys()].sort((x, y) => x - y))
    outputs[`grad.${index}`] = gradients.get(index)!;
  return b.finish(outputs);
}
