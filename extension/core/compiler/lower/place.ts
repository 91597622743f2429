/**
 * Places: which buffer, and which part of it, each value in memory gets. Whoever assembles a larger tensor from parts
 * (`assemble`), hands results out through io, or adds to something, offers its own memory to the producers of the
 * parts, so that nothing is copied. Runs from the last node to the first.
 */
import type { Groups } from '../fuse.js';
import type { Node, ValueId } from '../graph.js';
import { pieceViews, shiftOf } from './assemble.js';
import type { Lowering } from './lowering.js';
import type { Accept, KernelRule } from './rule.js';
import { type GraphTable, type Use, LEAF_OPS, VIEW_OPS, listAttr } from './table.js';
import {
  type View,
  inverseOrder,
  orderedStrides,
  permuteView,
  product,
  reshapeView,
  sliceView,
} from './view.js';

export class Placer {
  private readonly table: GraphTable;

  constructor(
    private readonly lowering: Lowering,
    private readonly groups: Groups,
    private readonly rules: Readonly<Record<string, KernelRule>>,
  ) {
    this.table = lowering.table;
  }

  /** Places every value that stands in memory. `io` are the places that results must reach if they can. */
  run(io: ReadonlyMap<ValueId, View>): void {
    for (const [value, view] of io) {
      if (!this.offer(value, view)) continue;
    }
    const { nodes } = this.table.graph;
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index]!;
      if (VIEW_OPS.has(node.op) || LEAF_OPS.has(node.op)) continue;
      for (const [i, value] of node.outputs.entries()) {
        if (!this.lowering.places.has(value) && this.inMemory(value) && !this.placeShift(node, value)) {
          this.placeFresh(value);
        }
        const place = this.lowering.places.get(value);
        if (!place) continue;
        if (node.op === 'assemble') this.offerPieces(index, place);
        else this.offerUpdated(index, i, place);
      }
    }
  }

  /** Whether anyone reads the value from memory: a kernel, a result, or a group other than its own. */
  inMemory(value: ValueId): boolean {
    const own = this.groups.of[this.table.producer[value]!];
    return this.table.uses[value]!.some((use) => {
      return use.node < 0 || own === undefined || this.groups.of[use.node] !== own;
    });
  }

  /** Places a token shift as a window of the tensor it shifts, which is made with room for the padding. */
  private placeShift(node: Node, value: ValueId): boolean {
    const shift = node.op === 'assemble' ? shiftOf(this.table, node) : null;
    if (!shift || this.isResult(shift.source)) return false;
    const { list, places } = this.lowering;
    const buffer = list.temporary(this.lowering.storage(value), shift.shape);
    const window = (start: readonly number[], shape: readonly number[]) =>
      sliceView(
        buffer,
        start,
        start.map(() => 1),
        shape,
      );
    if (!this.offer(shift.source, window(shift.sourceStart, this.table.shape(shift.source)))) {
      list.buffers.pop();
      return false;
    }
    places.set(value, window(shift.resultStart, this.table.shape(value)));
    return true;
  }

  private placeFresh(value: ValueId): void {
    const shape = this.table.shape(value);
    const buffer = this.lowering.list.temporary(this.lowering.storage(value), shape);
    this.lowering.places.set(value, buffer);
    if (!this.producerTakes(value, buffer)) throw new Error(`No layout of %${value} suits its producer.`);
    let best = buffer;
    let fewest = this.refusals(value);
    for (const order of fewest > 0 ? this.orders(value) : []) {
      const view = { ...buffer, strides: orderedStrides(shape, order) };
      if (!this.producerTakes(value, view)) continue;
      this.lowering.places.set(value, view);
      const count = this.refusals(value);
      if (count < fewest) [best, fewest] = [view, count];
    }
    this.lowering.places.set(value, best);
  }

  /** Memory orders that a permutation of the value would find row-major. */
  private orders(value: ValueId): readonly (readonly number[])[] {
    return this.table.permutes.get(value) ?? [];
  }

  /** Reads of the value that would need a copy at its present place. */
  private refusals(value: ValueId): number {
    return this.table.uses[value]!.filter((use) => !this.readable(use)).length;
  }

  private readable(use: Use): boolean {
    const source = this.lowering.peek(use.value);
    if (!source) return false;
    if (use.node < 0 || source.kind !== 'view') return true;
    const node = this.table.graph.nodes[use.node]!;
    const rule = this.rules[node.op];
    return !rule || rule.input(this.lowering, node, use.index)(source.view) !== null;
  }

  private producerTakes(value: ValueId, view: View): boolean {
    const index = this.table.producer[value]!;
    const node = this.table.graph.nodes[index]!;
    const rule = this.rules[node.op];
    if (!rule) return true;
    const accept: Accept = rule.output(this.lowering, node, node.outputs.indexOf(value));
    return accept(view) !== null;
  }

  /**
   * Asks the producer of a value to write straight into `view`. Refused when the value has a place already, is a
   * source, reaches here through a slice, or when this would make a reader or the producer copy.
   */
  offer(value: ValueId, view: View): boolean {
    const node = this.table.node(value);
    if (!node || LEAF_OPS.has(node.op) || this.lowering.places.has(value)) return false;
    if (this.lowering.storage(value) !== this.lowering.list.storage(view)) return false;
    if (product(view.shape) === 0) return false;
    if (VIEW_OPS.has(node.op)) {
      const input = node.inputs[0]!;
      if (node.op === 'permute')
        return this.offer(input, permuteView(view, inverseOrder(listAttr(node, 'dims'))));
      if (node.op === 'slice' || this.table.count(input) !== this.table.count(value)) return false;
      const inner = reshapeView(view, this.table.shape(input));
      return inner !== null && this.offer(input, inner);
    }
    if (!this.producerTakes(value, view)) return false;
    const before = this.refusalsWhenFresh(value);
    this.lowering.places.set(value, view);
    if (this.refusals(value) <= before) return true;
    this.lowering.places.delete(value);
    return false;
  }

  private refusalsWhenFresh(value: ValueId): number {
    const { buffers } = this.lowering.list;
    this.placeFresh(value);
    const count = this.refusals(value);
    this.lowering.places.delete(value);
    buffers.pop();
    return count;
  }

  private offerPieces(index: number, place: View): void {
    const node = this.table.graph.nodes[index]!;
    for (const { value, view, exclusive } of pieceViews(this.table, node, place)) {
      if (exclusive && !this.isResult(value)) this.offer(value, view);
    }
  }

  private isResult(value: ValueId): boolean {
    return this.table.uses[this.table.base(value)]!.some((use) => use.node < 0);
  }

  /** Lets what a kernel adds to be made in the kernel's own output, if nobody else reads it. */
  private offerUpdated(index: number, output: number, place: View): void {
    const node = this.table.graph.nodes[index]!;
    const rule = this.rules[node.op];
    const update = rule?.updates?.(node);
    if (!update || update.output !== output) return;
    const value = node.inputs[update.input]!;
    if (this.table.uses[this.table.base(value)]!.length > 1) return;
    this.offer(value, place);
  }
}
