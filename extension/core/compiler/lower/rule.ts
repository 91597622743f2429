/** How one graph operation becomes kernel calls, and which strides its kernels take. */
import type { Node, ValueId } from '../graph.js';
import type { Opcode } from '../program.js';
import type { Lowering, Part } from './lowering.js';
import { type GraphTable } from './table.js';
import { type View, product } from './view.js';
import { operation } from '../ops/table.js';

/** Gives the view as the kernel wants it (its rank and grouping of dims), or `null` when only a copy will do. */
export type Accept = (view: View) => View | null;

export interface KernelRule {
  readonly input: (lowering: Lowering, node: Node, index: number) => Accept;
  readonly output: (lowering: Lowering, node: Node, index: number) => Accept;
  /** The output that must start with the content of an input, because the kernel adds to it or writes parts of it. */
  readonly updates?: (node: Node) => { output: number; input: number } | null;
  readonly emit: (call: Call) => void;
}

/** What the emitter hands to a rule: operands ready to use. */
export class Call {
  private readonly parts: readonly Part[];

  constructor(
    readonly lowering: Lowering,
    readonly node: Node,
    private readonly rule: KernelRule,
    private readonly wanted: (value: ValueId) => boolean,
  ) {
    this.parts = [{ stack: node.stack, scope: node.scope, weight: 1 }];
  }

  /** Input `index` as the kernel wants it; copied when it refuses the strides. */
  input(index: number): View {
    const accept = this.rule.input(this.lowering, this.node, index);
    return this.lowering.operand(this.node.inputs[index]!, accept, this.node.phase, this.parts);
  }

  optionalInput(index: number, present = index < this.node.inputs.length): View | null {
    return present ? this.input(index) : null;
  }

  /** Output `index`; null when nobody reads it. */
  optionalOutput(index: number): View | null {
    const value = this.node.outputs[index];
    return value !== undefined && this.wanted(value) ? this.output(index) : null;
  }

  /** Output `index`; scratch memory when nobody reads it. */
  output(index: number): View {
    const value = this.node.outputs[index]!;
    const { lowering } = this;
    let place = lowering.places.get(value);
    if (!place) {
      place = lowering.list.temporary(lowering.storage(value), lowering.table.shape(value));
      lowering.places.set(value, place);
    }
    const accept = this.rule.output(lowering, this.node, index);
    const view = accept(place);
    if (!view) throw new Error(`The place of ${this.node.op}'s output ${index} does not suit its kernel.`);
    return view;
  }

  scratch(shape: readonly number[]): View {
    return this.lowering.list.temporary('f32', shape);
  }

  /** `share`: part of the node's operations that this call does. */
  emit(
    op: Opcode,
    outputs: readonly (View | null)[],
    inputs: readonly (View | null)[],
    ints: readonly number[] = [],
    floats: readonly number[] = [],
    updates: readonly number[] = [],
    share = 1,
  ): void {
    this.lowering.emit(
      op,
      this.node.phase,
      this.parts,
      [...outputs, ...inputs],
      outputs.length,
      ints,
      floats,
      nodeFlops(this.lowering.table, this.node) * share,
      updates,
    );
  }
}

/** Operations by the table's convention (2 per multiply-add), and one per element of a sum the kernel absorbed. */
export function nodeFlops(table: GraphTable, node: Node): number {
  if (node.op === 'assemble' || node.op === 'constant') return 0;
  const types = (values: readonly ValueId[]) => values.map((value) => table.type(value));
  const adds = node.attrs.residual === true ? product(table.shape(node.inputs[node.inputs.length - 1]!)) : 0;
  const inputs = adds > 0 ? node.inputs.slice(0, -1) : node.inputs;
  return (operation(node.op).flops?.(types(inputs), node.attrs, types(node.outputs)) ?? 0) + adds;
}
