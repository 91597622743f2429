/**
 * The decoder pass: a prepared graph over `context` tokens becomes one over a window of `tokens` tokens that start at any
 * position, and keeps what later tokens need of earlier ones in tensors of its own. A window of one token is the step of a
 * decoder; a longer one reads a prompt.
 *
 * Every value of the graph either depends on the tokens, and then has one row per token along one dimension, or is fixed.
 * Operations within a token are copied with fewer rows. Operations across tokens have rules of their own (`rules.ts`): a
 * recurrence takes and gives its state, attention keeps keys and values, a shift keeps the rows it moved out, rows of
 * fixed tables are looked up by position. Whatever reads later tokens has no such form and is refused by name and line.
 */
import { GraphBuilder } from '../build.js';
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import { GraphError, integers, number, numberAttr } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { elementCount, isFloat } from '../shapes.js';
import { SimplifyingBuilder } from '../simplify.js';
import { placeOf } from '../verify.js';
import type { Extent, Fixed, Seen, Sequence } from './sequence.js';
import { DecoderTensors } from './states.js';

/** What a first walk learns for the second. */
export interface Findings {
  /** By value of the traced graph. */
  readonly seen: ReadonlyMap<ValueId, Seen>;
  /** Rows that must be kept of what is shifted, by who shares them. */
  readonly delays: ReadonlyMap<string, number>;
}

export interface WalkOptions {
  /** Tokens of the traced graph: the most that a decoder can hold. */
  readonly context: number;
  /** Tokens of the window. */
  readonly tokens: number;
  /** Tensors of the model's own state. */
  readonly stateCount: number;
  readonly findings: Findings | null;
  /** Values needed of every token of the window, not of the newest alone; all of them when left out. */
  readonly needed: ReadonlySet<ValueId> | null;
}

export class Walk {
  /** The window: inputs `idx` i64 [1, tokens] and `position` i64 [1], outputs `logits` and `next.<state index>`. */
  readonly window: GraphBuilder;
  /** Everything fixed; outputs `next.<state index>` give tables and first states. */
  readonly fixed: GraphBuilder;
  readonly tensors: DecoderTensors;
  readonly seen = new Map<ValueId, Seen>();
  readonly delays = new Map<string, number>();
  /** By state index. `inPlace`: the value stands in the state's own memory already. */
  readonly updates = new Map<number, { readonly value: ValueId; readonly inPlace: boolean }>();
  readonly firsts = new Map<number, ValueId>();
  /** Values of the traced graph in `fixed`. */
  private readonly inFixed = new Map<ValueId, ValueId>();
  private readonly producers: Int32Array;
  /** Kept rows and the window's, joined, by who shares them. */
  readonly shifts = new Map<string, ValueId>();
  private readonly selections = new Map<string, ValueId>();
  private readonly lastRows = new Map<ValueId, Sequence>();
  private readonly positionInput: ValueId;
  node!: Node;

  constructor(
    readonly graph: Graph,
    readonly options: WalkOptions,
  ) {
    this.window = new SimplifyingBuilder(graph);
    this.fixed = new SimplifyingBuilder(graph);
    this.tensors = new DecoderTensors(options.stateCount);
    this.producers = new Int32Array(graph.values.length).fill(-1);
    graph.nodes.forEach((node, index) => node.outputs.forEach((id) => (this.producers[id] = index)));
    this.positionInput = this.window.one('input', [], { name: 'position' }, { dtype: 'i64', shape: [1] });
  }

  type(value: ValueId): TensorType {
    return this.graph.values[value]!;
  }

  /** Throws one sentence: what cannot be decoded, where, and what can. */
  refuse(what: string): never {
    const place = placeOf(this.graph, this.node);
    throw new GraphError(
      `${this.node.op}${place && ` at ${place}`} ${what}, so that the model cannot decode token by token: use causal attention, a recurrence or operations within a token there.`,
    );
  }

  /** Rows of a window value: `inner` per token. */
  rows(last: boolean): number {
    return last ? 1 : this.options.tokens;
  }

  /** `shape` of the traced graph with the rows that a window has. */
  windowShape(shape: readonly number[], dim: number, inner: number, last: boolean): readonly number[] {
    return dim < 0 ? shape : shape.with(dim, this.rows(last) * inner);
  }

  sequence(value: ValueId, origin: ValueId, dim: number, inner: number, last: boolean): Sequence {
    return { kind: 'sequence', value, origin: `%${origin}`, dim, inner, last, from: 0 };
  }

  /** Whether `node` may be made for the newest token only. */
  lastOnly(node: Node): boolean {
    const { needed } = this.options;
    return needed !== null && node.outputs.every((id) => !needed.has(id));
  }

  /** The rows of the newest token. */
  lastOf(x: Sequence): Sequence {
    if (x.last || x.dim < 0) return { ...x, last: true };
    const known = this.lastRows.get(x.value);
    if (known) return known;
    const { tokens } = this.options;
    const value =
      tokens === 1 ? x.value : this.window.narrow(x.value, x.dim, (tokens - 1) * x.inner, x.inner);
    const last: Sequence = { ...x, value, last: true };
    this.lastRows.set(x.value, last);
    return last;
  }

  /** i64 [rows]: the positions of the window's tokens, or of the newest. */
  positions(last: boolean, offset = 0): ValueId {
    const w = this.window;
    const start = offset + (last ? this.options.tokens - 1 : 0);
    const steps = w.one('arange', [], { start, step: 1 }, { dtype: 'i64', shape: [this.rows(last)] });
    return w.add(w.expand(this.positionInput, [this.rows(last)]), steps);
  }

  /** i64 [1]: tokens in the cache once the window's are there. */
  end(): ValueId {
    return this.window.add(
      this.positionInput,
      this.window.full(this.options.tokens, { dtype: 'i64', shape: [1] }),
    );
  }

  /** The tokens: i64 [1, context], of which a window has its own. */
  addInput(node: Node): void {
    const [value] = node.outputs as [ValueId];
    const { shape } = this.type(value);
    if (node.attrs['name'] !== 'idx' || shape[0] !== 1)
      throw new GraphError('A decoder reads one sequence of tokens and nothing else.');
    const window = this.emitLike(node, [], [1, this.options.tokens])[0]!;
    this.seen.set(value, this.sequence(window, value, 1, 1, false));
  }

  /** Records a node that depends on no token. */
  addFixed(node: Node): void {
    const inputs = node.inputs.map((id) => this.inFixed.get(id)!);
    const types = node.outputs.map((id) => this.type(id));
    const outputs = this.fixed.at(node).emit(node.op, inputs, node.attrs, types);
    node.outputs.forEach((id, i) => {
      this.inFixed.set(id, outputs[i]!);
      this.seen.set(id, { kind: 'fixed', value: id });
    });
  }

  fixedValue(value: ValueId): ValueId {
    return this.inFixed.get(value)!;
  }

  private producer(value: ValueId): Node {
    return this.graph.nodes[this.producers[value]!]!;
  }

  /** A state of the decoder, `first` being its content before any token (in `fixed`). */
  state(
    role: 'cache' | 'state',
    name: string,
    type: TensorType,
    first: ValueId,
    capacity = 0,
  ): { index: number; value: ValueId } {
    const scope = this.graph.scopes[this.node.scope];
    const tensor = this.tensors.add(role, scope ? `${scope}: ${name}` : name, type.dtype, type.shape, {
      capacity,
    });
    this.firsts.set(tensor.index, first);
    return { index: tensor.index, value: this.readState(tensor.index, type) };
  }

  private readState(index: number, type: TensorType): ValueId {
    return this.window.one('state', [], { index }, type);
  }

  /** A fixed value as it is, for the window: sources and views of them are made there, the rest is read from a table. */
  inline(value: ValueId): ValueId {
    const node = this.producer(value);
    const type = this.type(value);
    switch (node.op) {
      case 'state':
      case 'full':
      case 'arange':
        return this.window.one(node.op, [], node.attrs, type);
      case 'reshape':
      case 'permute':
      case 'expand':
      case 'slice':
        return this.window.one(node.op, [this.inline(node.inputs[0]!)], node.attrs, type);
      default:
        return this.table(value, 0);
    }
  }

  /** A fixed value in a table of its own, with `dim` first, as `dtype`. */
  private table(value: ValueId, dim: number, dtype = this.type(value).dtype, mask = false): ValueId {
    const { shape } = this.type(value);
    const order = frontOrder(shape, dim);
    const type = { dtype, shape: order.map((d) => shape[d]!) };
    const name = `table of ${this.producer(value).op}`;
    const tensor = this.tensors.add('table', name, dtype, type.shape, {
      key: `${value} ${dim} ${dtype} ${mask}`,
      mask,
    });
    if (tensor.isNew) {
      const moved = this.fixed.permute(this.fixedValue(value), order);
      const hides = mask && this.type(value).dtype === 'bool';
      this.firsts.set(tensor.index, hides ? this.added(moved) : this.fixed.cast(moved, dtype));
    }
    return this.readState(tensor.index, type);
  }

  /** Rows position + offset .. of a fixed value along `dim`, one per token of the window. */
  select(value: ValueId, dim: number, last: boolean, offset = 0): ValueId {
    const key = `${value} ${dim} ${last} ${offset}`;
    const known = this.selections.get(key);
    if (known !== undefined) return known;
    const selected = this.selectAnew(value, dim, last, offset);
    this.selections.set(key, selected);
    return selected;
  }

  private selectAnew(value: ValueId, dim: number, last: boolean, offset: number): ValueId {
    const w = this.window;
    const node = this.producer(value);
    const type = this.type(value);
    const shape = type.shape.with(dim, this.rows(last));
    const declared = { dtype: type.dtype, shape };
    const input = node.inputs[0];
    const inner = input === undefined ? [] : this.type(input).shape;
    switch (node.op) {
      case 'full':
        return w.one('full', [], node.attrs, declared);
      case 'arange': {
        const at = w.cast(this.positions(last, offset), type.dtype);
        const step = number(node.attrs, 'step');
        return w.add(w.mul(at, w.scalarLike(step, at)), w.scalarLike(number(node.attrs, 'start'), at));
      }
      case 'expand': {
        const d = dim - (shape.length - inner.length);
        if (d < 0 || inner[d] === 1) return w.expand(this.inline(input!), shape);
        return w.expand(this.select(input!, d, last, offset), shape);
      }
      case 'permute':
        return w.one(
          'permute',
          [this.select(input!, integers(node.attrs, 'dims')[dim]!, last, offset)],
          node.attrs,
        );
      case 'slice': {
        const [starts, steps] = [integers(node.attrs, 'starts'), integers(node.attrs, 'steps')];
        if (steps[dim] !== 1) break;
        const rows = this.select(input!, dim, last, offset + starts[dim]!);
        return w.slice(rows, starts.with(dim, 0), shape, steps);
      }
      case 'reshape': {
        const d = sameRows(inner, type.shape, dim);
        if (d === null) break;
        return w.reshape(this.select(input!, d, last, offset), shape);
      }
    }
    return this.lookUp(node, value, dim, last, offset);
  }

  /** A bool mask as numbers to add to scores. */
  private added(mask: ValueId): ValueId {
    const b = this.fixed;
    const type = { dtype: 'f32', shape: b.shape(mask) } as const;
    return b.where(mask, b.full(0, type), b.full(-Infinity, type));
  }

  /** The window's rows of a fixed mask [.., context, context], which must hide later tokens: its table is to be looked at. */
  maskRows(value: ValueId): ValueId {
    const { shape } = this.type(value);
    const dim = shape.length - 2;
    const table = this.table(value, dim, 'f32', true);
    return this.rowsOf(table, shape, dim, this.positions(false));
  }

  /** Rows of a table of `shape` with `dim` first, put back where they were. */
  private rowsOf(table: ValueId, shape: readonly number[], dim: number, positions: ValueId): ValueId {
    const w = this.window;
    const order = frontOrder(shape, dim);
    const rest = order.slice(1).map((d) => shape[d]!);
    const rows = w.one('embedding', [w.reshape(table, [shape[dim]!, elementCount(rest)]), positions]);
    return w.permute(
      w.reshape(rows, [w.shape(positions)[0]!, ...rest]),
      shape.map((_, d) => order.indexOf(d)),
    );
  }

  /** Rows of a table by position; a table of the model's own is read where it stands. */
  private lookUp(node: Node, value: ValueId, dim: number, last: boolean, offset: number): ValueId {
    const { dtype, shape } = this.type(value);
    const own = node.op === 'state' && dim === 0 && isFloat(dtype);
    const weight = own ? this.inline(value) : this.table(value, dim, 'f32');
    return this.window.cast(this.rowsOf(weight, shape, dim, this.positions(last, offset)), dtype);
  }

  /** A fixed operand of an operation whose result has tokens in `extent`; broadcast from the right to `rank` dims. */
  fixedOperand(x: Fixed, { dim, inner, last, from }: Extent, rank: number): ValueId {
    const { shape } = this.type(x.value);
    const own = dim - (rank - shape.length);
    if (dim < 0 || own < 0 || shape[own] === 1) return this.inline(x.value);
    if (inner !== 1) this.refuse('joins tokens with other rows');
    return from === 0 ? this.select(x.value, own, last) : this.selectNear(x.value, own, -from, last);
  }

  /** As {@link select}, with positions outside the rows moved to the nearest: what is read there is not used. */
  selectNear(value: ValueId, dim: number, offset: number, last = false): ValueId {
    const w = this.window;
    const { dtype, shape } = this.type(value);
    const at = this.positions(last, offset);
    const bound = (limit: number) => w.full(limit, w.type(at));
    const inside = w.one('maximum', [w.one('minimum', [at, bound(shape[dim]! - 1)]), bound(0)]);
    return w.cast(this.rowsOf(this.table(value, dim, 'f32'), shape, dim, inside), dtype);
  }

  /** A first state filled with `value`. */
  filled(value: number, type: TensorType): ValueId {
    return this.fixed.one('full', [], { value: numberAttr(value) }, type);
  }

  /** What every token has kept for the next. */
  update(index: number, value: ValueId, inPlace = false): void {
    this.updates.set(index, { value, inPlace });
  }

  /** Emits `node` with window operands; its output types are inferred from those, or declared by `shape`. */
  emitLike(node: Node, inputs: readonly ValueId[], shape?: readonly number[]): readonly ValueId[] {
    const declared = node.outputs.map((id) => ({
      dtype: this.type(id).dtype,
      shape: shape ?? this.type(id).shape,
    }));
    return this.window.at(node).emit(node.op, inputs, node.attrs, declared);
  }

  /** Whether an operation makes each element from one of each operand. */
  isPointwise(op: string): boolean {
    return op === 'cast' || operation(op).scalar !== undefined;
  }
}

/** Dims of a shape with one of them first. */
function frontOrder(shape: readonly number[], dim: number): number[] {
  return shape.length === 0 ? [] : [dim, ...shape.keys()].filter((d, i) => i === 0 || d !== dim);
}

/** The dim of `from` whose rows are those of `to`'s `dim`, when a reshape keeps them. */
function sameRows(from: readonly number[], to: readonly number[], dim: number): number | null {
  const before = elementCount(to.slice(0, dim));
  let outer = 1;
  for (const [d, size] of from.entries()) {
    if (outer === before && size === to[dim]) return d;
    outer *= size;
  }
  return null;
}
