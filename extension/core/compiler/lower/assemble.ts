/**
 * `cat`, `pad` and `slice_scatter` are one internal operation, `assemble`: a tensor made of regions, each from its own
 * input, over a constant background. Attributes: `starts` and `steps` (one list per piece, one after the other) and
 * `background` (absent when the pieces cover everything). Later pieces win where regions overlap.
 */
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import type { Lowering, Part } from './lowering.js';
import { type GraphTable, listAttr, numberAttr } from './table.js';
import { type View, product, sliceView } from './view.js';

interface Region {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly shape: readonly number[];
}

interface Piece extends Region {
  readonly value: ValueId;
}

function pieces(table: Pick<GraphTable, 'shape'>, node: Node): Piece[] {
  const rank = table.shape(node.outputs[0]!).length;
  const [starts, steps] = [listAttr(node, 'starts'), listAttr(node, 'steps')];
  return node.inputs.map((value, i) => ({
    value,
    shape: table.shape(value),
    starts: starts.slice(i * rank, (i + 1) * rank),
    steps: steps.slice(i * rank, (i + 1) * rank),
  }));
}

/** Where each piece stands in the assembled tensor; `exclusive` when nothing else writes within its bounds. */
export function pieceViews(
  table: GraphTable,
  node: Node,
  place: View,
): { value: ValueId; view: View; exclusive: boolean }[] {
  const list = pieces(table, node);
  return list.map((piece) => ({
    value: piece.value,
    view: sliceView(place, piece.starts, piece.steps, piece.shape),
    exclusive: isDense(piece) && list.every((other) => other === piece || apart(piece, other)),
  }));
}

/** Whether a region covers its bounding box. */
function isDense(region: Region): boolean {
  return region.steps.every((step, d) => Math.abs(step) === 1 || region.shape[d]! <= 1);
}

/** A tensor padded along one dim after a slice along it, as a window of the sliced tensor with room at its ends. */
export interface Shift {
  /** The tensor that is sliced. */
  readonly source: ValueId;
  /** Shape of the memory that holds both. */
  readonly shape: readonly number[];
  /** Where the sliced tensor and the padded one start in it. */
  readonly sourceStart: readonly number[];
  readonly resultStart: readonly number[];
}

/** Recognises `pad(slice(x))` (a token shift) where what is padded lies outside x; else `null`. */
export function shiftOf(table: GraphTable, node: Node): Shift | null {
  const [piece, ...others] = pieces(table, node);
  if (!piece || others.length > 0) return null;
  const slice = table.node(piece.value);
  if (slice?.op !== 'slice' || ![...listAttr(slice, 'steps'), ...piece.steps].every((step) => step === 1)) {
    return null;
  }
  const source = slice.inputs[0]!;
  const from = table.shape(source);
  const to = table.shape(node.outputs[0]!);
  const starts = listAttr(slice, 'starts');
  const changed = from.map((_, d) => d).filter((d) => from[d] !== piece.shape[d] || to[d] !== piece.shape[d]);
  const [dim, ...more] = changed;
  if (dim === undefined || more.length > 0) return null;
  const [first, low, length] = [starts[dim]!, piece.starts[dim]!, piece.shape[dim]!];
  const high = to[dim]! - low - length;
  if ((low > 0 && first > 0) || (high > 0 && first + length < from[dim]!)) return null;
  const start = Math.min(0, first - low);
  const end = Math.max(from[dim]!, first - low + to[dim]!);
  const at = (position: number) => from.map((_, d) => (d === dim ? position : 0));
  return {
    source,
    shape: from.map((size, d) => (d === dim ? end - start : size)),
    sourceStart: at(-start),
    resultStart: at(first - low - start),
  };
}

/** Whether two regions share no element; regions with steps are compared by their bounding boxes. */
function apart(a: Region, b: Region): boolean {
  return a.starts.some((_, d) => {
    const [lowA, highA] = bounds(a, d);
    const [lowB, highB] = bounds(b, d);
    return highA <= lowB || highB <= lowA;
  });
}

function bounds(region: Region, d: number): [number, number] {
  const first = region.starts[d]!;
  const last = first + (region.shape[d]! - 1) * region.steps[d]!;
  return [Math.min(first, last), Math.max(first, last) + 1];
}

/** Copies the pieces that were not made in place and fills what no piece covers. */
export function emitAssemble(lowering: Lowering, node: Node): void {
  const { table } = lowering;
  const value = node.outputs[0]!;
  const place = lowering.places.get(value);
  if (!place || product(place.shape) === 0) return;
  const parts: Part[] = [{ stack: node.stack, scope: node.scope, weight: 1 }];
  if (node.attrs.background !== undefined) {
    const source = { kind: 'full', value: numberAttr(node, 'background') } as const;
    for (const gap of gaps(place.shape, pieces(table, node))) {
      const view = sliceView(place, gap.starts, gap.steps, gap.shape);
      lowering.write(view, source, node.phase, parts);
    }
  }
  for (const piece of pieceViews(table, node, place)) {
    const source = lowering.source(piece.value, node.phase, parts);
    if (source.kind === 'view' && standsAt(source.view, piece.view)) continue;
    lowering.write(piece.view, source, node.phase, parts);
  }
}

function standsAt(a: View, b: View): boolean {
  return (
    a.buffer === b.buffer &&
    a.offset === b.offset &&
    a.strides.every((stride, d) => stride === b.strides[d] || a.shape[d]! <= 1)
  );
}

/** Boxes that cover what no piece covers. A piece with steps leaves its whole bounding box to be filled. */
function gaps(shape: readonly number[], list: readonly Piece[]): Region[] {
  let boxes: [number, number][][] = [shape.map((size) => [0, size])];
  for (const piece of list) {
    if (!isDense(piece)) continue;
    boxes = boxes.flatMap((box) => subtract(box, piece));
  }
  return boxes.map((box) => ({
    starts: box.map(([low]) => low),
    steps: box.map(() => 1),
    shape: box.map(([low, high]) => high - low),
  }));
}

function subtract(box: readonly [number, number][], piece: Region): [number, number][][] {
  const inner = box.map(([low, high], d): [number, number] => {
    const [from, to] = bounds(piece, d);
    return [Math.max(low, from), Math.min(high, to)];
  });
  if (inner.some(([low, high]) => low >= high)) return [[...box]];
  const result: [number, number][][] = [];
  const rest = [...box];
  for (const [d, [low, high]] of inner.entries()) {
    const [start, end] = rest[d]!;
    if (start < low) result.push(rest.map((range, i) => (i === d ? [start, low] : range)));
    if (high < end) result.push(rest.map((range, i) => (i === d ? [high, end] : range)));
    rest[d] = [low, high];
  }
  return result;
}

/** Rewrites `cat`, `pad` and `slice_scatter`, joining chains of writes into one tensor. */
export function assembleRegions(graph: Graph): Graph {
  const values: TensorType[] = [...graph.values];
  const shape = (value: ValueId) => values[value]!.shape;
  const reads = new Map<ValueId, number>();
  for (const node of graph.nodes) for (const v of node.inputs) reads.set(v, (reads.get(v) ?? 0) + 1);
  for (const v of Object.values(graph.outputs)) reads.set(v, (reads.get(v) ?? 0) + 1);
  const made = new Map<ValueId, Node>();
  const dropped = new Set<Node>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    let next = node;
    if (node.op === 'cat') next = fromCat(node, shape);
    else if (node.op === 'pad') next = fromPad(node, shape);
    else if (node.op === 'slice_scatter') {
      const [base, src] = [node.inputs[0]!, node.inputs[1]!];
      const below = made.get(base);
      const joins = below?.op === 'assemble' && reads.get(base) === 1;
      const plain = below?.op === 'full';
      const rank = shape(base).length;
      const [starts, steps] = [listAttr(node, 'starts'), listAttr(node, 'steps')];
      const zeros = new Array<number>(rank).fill(0);
      if (joins) dropped.add(below);
      const under = joins
        ? { inputs: below.inputs, starts: listAttr(below, 'starts'), steps: listAttr(below, 'steps') }
        : plain
          ? { inputs: [], starts: [], steps: [] }
          : { inputs: [base], starts: zeros, steps: zeros.map(() => 1) };
      const background = joins ? below.attrs.background : plain ? numberAttr(below, 'value') : undefined;
      next = {
        ...node,
        op: 'assemble',
        inputs: [...under.inputs, src],
        attrs: {
          starts: [...under.starts, ...starts],
          steps: [...under.steps, ...steps],
          ...(background === undefined ? {} : { background }),
        },
      };
    }
    for (const output of next.outputs) made.set(output, next);
    nodes.push(next);
  }
  return { ...graph, nodes: nodes.filter((node) => !dropped.has(node)) };
}

function fromCat(node: Node, shape: (value: ValueId) => readonly number[]): Node {
  const rank = shape(node.outputs[0]!).length;
  const dim = numberAttr(node, 'dim');
  const starts: number[] = [];
  let at = 0;
  for (const value of node.inputs) {
    for (let d = 0; d < rank; d++) starts.push(d === dim ? at : 0);
    at += shape(value)[dim]!;
  }
  return { ...node, op: 'assemble', attrs: { starts, steps: starts.map(() => 1) } };
}

function fromPad(node: Node, shape: (value: ValueId) => readonly number[]): Node {
  const starts = listAttr(node, 'low');
  const whole = product(shape(node.inputs[0]!)) === product(shape(node.outputs[0]!));
  const background = whole ? {} : { background: numberAttr(node, 'value') };
  return { ...node, op: 'assemble', attrs: { starts, steps: starts.map(() => 1), ...background } };
}
