/**
 * Fusion: element-wise nodes and trailing reductions that can share one loop become one group, hence one `fused`
 * instruction. A producer joins its consumer when both run over the same elements (also through `reshape` and
 * `permute`), and neighbours join when they read the same large tensor.
 */
import type { Node, Phase } from './graph.js';
import { storageOf } from './lower/kernel.js';
import {
  type Attempt as AttemptType,
  Attempt,
  type Atom,
  type Layout,
  atoms,
  freshLayout,
  isProper,
  padLayout,
  unify,
  viewLayout,
} from './lower/space.js';
import { type GraphTable, REDUCTIONS, VIEW_OPS, isFusible, listAttr } from './lower/table.js';
import { product, sameSizes } from './lower/view.js';

export type Lane = 'f32' | 'i64';

export interface Group {
  /** Indexes of graph nodes in order. */
  readonly nodes: readonly number[];
  /** Position in the node order at which the group runs. */
  readonly pin: number;
  readonly lane: Lane | 'any';
  readonly phase: Phase;
  /** Layout of each node's iteration space: its output, or the input of a reduction. */
  readonly layouts: ReadonlyMap<number, Layout>;
}

/** Bounds that keep a group within the registers of one instruction. */
const MOST_NODES = 44;
const MOST_READS = 20;
/** Neighbours farther apart (in nodes) are not joined: their results would live longer than the saved read is worth. */
const NEARBY = 24;

export interface Groups {
  /** Group of each node; undefined for nodes that are no element-wise work. */
  readonly of: readonly (Group | undefined)[];
}

export function iterationShape(table: GraphTable, node: Node): readonly number[] {
  return table.shape(REDUCTIONS.has(node.op) ? node.inputs[0]! : node.outputs[0]!);
}

/** The arithmetic of a node: 64-bit integers when it touches any, except for conversions from and to float. */
function laneOf(table: GraphTable, node: Node): Lane | 'any' {
  const kinds = [...node.inputs, ...node.outputs].map((value) => storageOf(table.type(value).dtype));
  if (node.op === 'cast' && kinds.includes('f32')) return 'f32';
  if (kinds.includes('i64')) return 'i64';
  return kinds.includes('f32') ? 'f32' : 'any';
}

function commonLane(a: Lane | 'any', b: Lane | 'any'): Lane | 'any' | null {
  if (a === 'any') return b;
  return b === 'any' || a === b ? a : null;
}

/** Forms the groups of a graph, in node order. */
export function fuse(table: GraphTable): Groups {
  return new Fuser(table).run();
}

class Fuser {
  private readonly of: (Group | undefined)[];
  /** Groups that load a value directly, by value. */
  private readonly readers = new Map<number, number[]>();

  constructor(private readonly table: GraphTable) {
    this.of = new Array<Group | undefined>(table.graph.nodes.length).fill(undefined);
  }

  run(): Groups {
    for (const [index, node] of this.table.graph.nodes.entries()) {
      if (!isFusible(node.op)) continue;
      const shape = iterationShape(this.table, node);
      const layouts = new Map([[index, freshLayout(shape)]]);
      this.of[index] = {
        nodes: [index],
        pin: index,
        lane: laneOf(this.table, node),
        phase: node.phase,
        layouts,
      };
      if (product(shape) < 1) continue;
      for (const member of this.candidates(index, node)) {
        const [own, other] = [this.of[index], this.of[member]!];
        if (own !== other) this.merge(other, own);
      }
      for (const value of node.inputs) {
        const list = this.readers.get(value) ?? [];
        list.push(index);
        this.readers.set(value, list);
      }
    }
    return { of: this.of };
  }

  /** Nodes worth joining: producers over the same elements first, then readers of the same large input. */
  private candidates(index: number, node: Node): number[] {
    const count = product(iterationShape(this.table, node));
    const result: number[] = [];
    for (const value of node.inputs) {
      const producer = this.table.producer[this.table.base(value)]!;
      if (producer >= 0 && this.of[producer]) result.push(producer);
    }
    if (node.attrs.copied === true || count < 1024) return result;
    for (const value of node.inputs) {
      if (this.table.count(value) !== count) continue;
      for (const reader of (this.readers.get(value) ?? []).slice(-4).reverse()) {
        if (reader !== index && index - this.pinOf(reader) < NEARBY) result.push(reader);
      }
    }
    return result;
  }

  private pinOf(node: number): number {
    return this.of[node]?.pin ?? node;
  }

  /** Replaces two groups (which may run in either order) by one, if that is legal; leaves them alone otherwise. */
  private merge(a: Group, b: Group): void {
    const [first, second] = a.pin < b.pin ? [a, b] : [b, a];
    const lane = commonLane(first.lane, second.lane);
    if (lane === null || first.phase !== second.phase) return;
    const members = new Set([...first.nodes, ...second.nodes]);
    if (members.size > MOST_NODES || this.reads(members) > MOST_READS) return;
    const pin = this.commonPin(first, second, members);
    if (pin === null) return;
    const attempt = new Attempt();
    if (!this.join(first, second, attempt) || !this.sameReduction(first, second)) {
      attempt.undo();
      return;
    }
    const nodes = [...members].sort((x, y) => x - y);
    const layouts = new Map([...first.layouts, ...second.layouts]);
    const group: Group = { nodes, pin, lane, phase: first.phase, layouts };
    for (const node of nodes) this.of[node] = group;
  }

  private reads(members: ReadonlySet<number>): number {
    const values = new Set<number>();
    for (const member of members) {
      for (const value of this.table.graph.nodes[member]!.inputs) {
        if (!members.has(this.table.producer[this.table.base(value)]!)) values.add(value);
      }
    }
    return values.size;
  }

  /** Where both can run as one: at the later place if nobody needs the first before, or at the earlier if inputs allow. */
  private commonPin(first: Group, second: Group, members: ReadonlySet<number>): number | null {
    const nodes = this.table.graph.nodes;
    const later = first.nodes.every((member) =>
      nodes[member]!.outputs.every((value) =>
        this.table.uses[value]!.every(
          (use) => use.node < 0 || members.has(use.node) || this.pinOf(use.node) > second.pin,
        ),
      ),
    );
    if (later) return second.pin;
    const earlier = second.nodes.every((member) =>
      nodes[member]!.inputs.every((value) => {
        const producer = this.table.producer[this.table.base(value)]!;
        return producer < 0 || members.has(producer) || this.pinOf(producer) < first.pin;
      }),
    );
    return earlier ? first.pin : null;
  }

  /** Unifies the iteration spaces through every value that passes between the groups, or through a shared input. */
  private join(first: Group, second: Group, attempt: AttemptType): boolean {
    const nodes = this.table.graph.nodes;
    let linked = false;
    for (const member of second.nodes) {
      const rank = iterationShape(this.table, nodes[member]!).length;
      for (const value of nodes[member]!.inputs) {
        const base = this.table.base(value);
        const producer = this.table.producer[base]!;
        if (!first.layouts.has(producer)) continue;
        if (REDUCTIONS.has(nodes[producer]!.op)) return false;
        const layout = this.layoutThrough(value, first.layouts.get(producer)!, attempt);
        if (!layout || !unify(padLayout(layout, rank), second.layouts.get(member)!, attempt)) return false;
        linked = true;
      }
    }
    if (!linked && !this.joinReaders(first, second, attempt)) return false;
    const [a, b] = [first.layouts.values().next().value!, second.layouts.values().next().value!];
    return isProper(a) && isProper(b) && covers(a, b);
  }

  private joinReaders(first: Group, second: Group, attempt: AttemptType): boolean {
    const nodes = this.table.graph.nodes;
    for (const member of second.nodes) {
      const shape = iterationShape(this.table, nodes[member]!);
      for (const value of nodes[member]!.inputs) {
        if (this.table.count(value) !== product(shape)) continue;
        for (const other of first.nodes) {
          if (!nodes[other]!.inputs.includes(value)) continue;
          if (!sameSizes(iterationShape(this.table, nodes[other]!), shape)) continue;
          return unify(first.layouts.get(other)!, second.layouts.get(member)!, attempt);
        }
      }
    }
    return false;
  }

  /** Layout of a view of a value; null when the view drops, repeats or reorders elements across atoms. */
  private layoutThrough(value: number, layout: Layout, attempt: AttemptType): Layout | null {
    const node = this.table.node(value);
    if (!node || !VIEW_OPS.has(node.op)) return layout;
    const input = node.inputs[0]!;
    if (node.op === 'slice' || this.table.count(input) !== this.table.count(value)) return null;
    const inner = this.layoutThrough(input, layout, attempt);
    return inner && viewLayout(node, inner, this.table.shape(value), attempt);
  }

  private sameReduction(first: Group, second: Group): boolean {
    let reduced: Set<Atom> | null = null;
    for (const group of [first, second]) {
      for (const member of group.nodes) {
        const found = reducedAtoms(this.table, this.table.graph.nodes[member]!, group.layouts.get(member)!);
        if (!found) continue;
        if (!reduced) reduced = found;
        else if (found.size !== reduced.size || [...found].some((atom) => !reduced!.has(atom))) return false;
      }
    }
    return true;
  }
}

function covers(a: Layout, b: Layout): boolean {
  const all = new Set(a.flatMap((list) => atoms(list)));
  return b.flatMap((list) => atoms(list)).every((atom) => all.has(atom));
}

/** The atoms a reduction sums over; null for other nodes. */
export function reducedAtoms(table: GraphTable, node: Node, layout: Layout): Set<Atom> | null {
  if (!REDUCTIONS.has(node.op)) return null;
  const rank = table.shape(node.inputs[0]!).length;
  const dims = listAttr(node, 'dims');
  const list = dims.length > 0 ? dims : Array.from({ length: rank }, (_, d) => d);
  return new Set(list.flatMap((d) => atoms(layout[d]!)));
}
