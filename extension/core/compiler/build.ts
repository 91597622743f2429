/** Appends nodes to a graph; every pass writes its result through one of these. */
import type { Attrs, CustomVjp, DType, Graph, Node, Phase, TensorType, ValueId } from './graph.js';
import { integers, number, numberAttr } from './ops/operation.js';
import { operation } from './ops/table.js';
import { broadcastShapes, range, reducedShape, sameShape, type Shape } from './shapes.js';

export type SourceTables = Pick<Graph, 'files' | 'spans' | 'stacks' | 'scopes' | 'constants'>;

const NO_ATTRS: Attrs = {};

export class GraphBuilder {
  readonly values: TensorType[] = [];
  readonly nodes: Node[] = [];
  /** Index into `nodes` of the node that makes a value. */
  readonly producers: number[] = [];
  /** Written on the nodes emitted next. */
  stack = 0;
  scope = 0;
  phase: Phase = 'forward';

  constructor(readonly tables: SourceTables) {}

  /** Nodes emitted next carry the stack and scope of `node`, and its phase unless one is given. */
  at(node: Pick<Node, 'stack' | 'scope' | 'phase'>, phase: Phase = node.phase): this {
    this.stack = node.stack;
    this.scope = node.scope;
    this.phase = phase;
    return this;
  }

  type(value: ValueId): TensorType {
    return this.values[value]!;
  }

  shape(value: ValueId): Shape {
    return this.values[value]!.shape;
  }

  producer(value: ValueId): Node {
    return this.nodes[this.producers[value]!]!;
  }

  /** Appends one node and gives its outputs; throws one sentence when the operation's shape rule refuses. */
  emit(
    op: string,
    inputs: readonly ValueId[],
    attrs: Attrs = NO_ATTRS,
    declared?: readonly TensorType[],
  ): readonly ValueId[] {
    const types = operation(op).infer(
      inputs.map((id) => this.values[id]!),
      attrs,
      declared,
    );
    return this.append(op, inputs, attrs, types);
  }

  /** As {@link emit}, for operations with one output. */
  one(op: string, inputs: readonly ValueId[], attrs: Attrs = NO_ATTRS, declared?: TensorType): ValueId {
    return this.emit(op, inputs, attrs, declared && [declared])[0]!;
  }

  protected append(
    op: string,
    inputs: readonly ValueId[],
    attrs: Attrs,
    types: readonly TensorType[],
  ): readonly ValueId[] {
    const first = this.values.length;
    const outputs = types.map((_, i) => first + i);
    for (const type of types) {
      this.values.push(type);
      this.producers.push(this.nodes.length);
    }
    this.nodes.push({ op, inputs, outputs, attrs, stack: this.stack, scope: this.scope, phase: this.phase });
    return outputs;
  }

  finish(outputs: Graph['outputs'], customVjps: readonly CustomVjp[] = []): Graph {
    return { ...this.tables, values: this.values, nodes: this.nodes, customVjps, outputs };
  }

  /** The number every element of `value` is known to have, else undefined. */
  uniform(value: ValueId): number | undefined {
    const node = this.producer(value);
    return node.op === 'full' ? number(node.attrs, 'value') : undefined;
  }

  full(value: number, type: TensorType): ValueId {
    return this.one('full', [], { value: numberAttr(value) }, type);
  }
  scalar(value: number, dtype: DType = 'f32'): ValueId {
    return this.full(value, { dtype, shape: [] });
  }
  /** A scalar of the dtype of `like`. */
  scalarLike(value: number, like: ValueId): ValueId {
    return this.scalar(value, this.type(like).dtype);
  }
  zerosLike(like: ValueId): ValueId {
    return this.full(0, this.type(like));
  }
  add(a: ValueId, b: ValueId): ValueId {
    return this.one('add', [a, b]);
  }
  sub(a: ValueId, b: ValueId): ValueId {
    return this.one('sub', [a, b]);
  }
  mul(a: ValueId, b: ValueId): ValueId {
    return this.one('mul', [a, b]);
  }
  div(a: ValueId, b: ValueId): ValueId {
    return this.one('div', [a, b]);
  }
  scale(a: ValueId, factor: number): ValueId {
    return this.mul(a, this.scalarLike(factor, a));
  }
  unary(op: string, a: ValueId): ValueId {
    return this.one(op, [a]);
  }
  where(condition: ValueId, a: ValueId, b: ValueId): ValueId {
    return this.one('where', [condition, a, b]);
  }
  cast(a: ValueId, dtype: DType): ValueId {
    return this.type(a).dtype === dtype
      ? a
      : this.one('cast', [a], NO_ATTRS, { dtype, shape: this.shape(a) });
  }
  reshape(a: ValueId, shape: Shape): ValueId {
    return sameShape(this.shape(a), shape)
      ? a
      : this.one('reshape', [a], NO_ATTRS, { dtype: this.type(a).dtype, shape });
  }
  expand(a: ValueId, shape: Shape): ValueId {
    return sameShape(this.shape(a), shape)
      ? a
      : this.one('expand', [a], NO_ATTRS, { dtype: this.type(a).dtype, shape });
  }
  permute(a: ValueId, dims: readonly number[]): ValueId {
    return dims.every((dim, i) => dim === i) ? a : this.one('permute', [a], { dims });
  }
  /** Swaps the last two dims. */
  transpose(a: ValueId): ValueId {
    const rank = this.shape(a).length;
    return this.permute(a, [...range(0, rank - 2), rank - 1, rank - 2]);
  }
  slice(
    a: ValueId,
    starts: readonly number[],
    shape: Shape,
    steps: readonly number[] = starts.map(() => 1),
  ): ValueId {
    return this.one('slice', [a], { starts, steps }, { dtype: this.type(a).dtype, shape });
  }
  /** Elements [start, start + size) along one dim. */
  narrow(a: ValueId, dim: number, start: number, size: number): ValueId {
    const shape = this.shape(a);
    return this.slice(
      a,
      shape.map((_, i) => (i === dim ? start : 0)),
      shape.map((old, i) => (i === dim ? size : old)),
    );
  }
  pad(a: ValueId, low: readonly number[], high: readonly number[], value = 0): ValueId {
    return this.one('pad', [a], { low, high, value: numberAttr(value) });
  }
  cat(parts: readonly ValueId[], dim: number): ValueId {
    return parts.length === 1 ? parts[0]! : this.one('cat', parts, { dim });
  }
  sum(a: ValueId, dims: readonly number[], keepdim = false): ValueId {
    return dims.length === 0 ? a : this.one('sum', [a], { dims, keepdim });
  }
  matmul(a: ValueId, b: ValueId): ValueId {
    return this.one('matmul', [a, b]);
  }

  /** Sums a gradient of the broadcast shape down to the shape it was broadcast from. */
  unbroadcast(a: ValueId, shape: Shape): ValueId {
    const from = this.shape(a);
    if (sameShape(from, shape)) return a;
    const extra = from.length - shape.length;
    const dims = range(0, from.length).filter((i) => i < extra || (shape[i - extra] === 1 && from[i] !== 1));
    return this.reshape(this.sum(a, dims), shape);
  }

  /** Makes `a` as large as broadcasting it with `shape` does. */
  broadcastWith(a: ValueId, shape: Shape): ValueId {
    return this.expand(a, broadcastShapes(this.shape(a), shape));
  }

  /** A reduction's result `a`, without the reduced dims, with them back as size 1. */
  unreduce(a: ValueId, shape: Shape, dims: readonly number[]): ValueId {
    return this.reshape(a, reducedShape(shape, dims, true));
  }

  /** The elements `slice` took: its `starts`, `steps` and output shape. */
  static sliceOf(node: Node): { starts: readonly number[]; steps: readonly number[] } {
    return { starts: integers(node.attrs, 'starts'), steps: integers(node.attrs, 'steps') };
  }
}

/**
 * Copies `graph` through a builder node by node. `rule` may emit a replacement and give its outputs, or `null` to
 * copy the node. Values named by outputs and custom VJPs are renamed.
 */
export function rewrite(
  graph: Graph,
  builder: GraphBuilder,
  rule: (b: GraphBuilder, node: Node, inputs: readonly ValueId[]) => readonly ValueId[] | null,
): Graph {
  const map = new Int32Array(graph.values.length).fill(-1);
  const rename = (id: ValueId): ValueId => map[id]!;
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(rename);
    builder.at(node);
    const outputs =
      rule(builder, node, inputs) ??
      builder.emit(
        node.op,
        inputs,
        node.attrs,
        node.outputs.map((id) => graph.values[id]!),
      );
    node.outputs.forEach((id, i) => (map[id] = outputs[i]!));
  }
  return builder.finish(
    Object.fromEntries(Object.entries(graph.outputs).map(([name, id]) => [name, rename(id)])),
    graph.customVjps.map((custom) => ({
      inputs: custom.inputs.map(rename),
      outputs: custom.outputs.map(rename),
      cotangents: custom.cotangents.map(rename),
      gradients: custom.gradients.map((id) => (id === null ? null : rename(id))),
    })),
  );
}
