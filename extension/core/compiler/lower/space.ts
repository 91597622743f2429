/**
 * Iteration spaces of element-wise groups. Values that differ by `reshape` and `permute` still have the same elements;
 * an atom is a factor of the space that all of them share. The layout of a value gives the atoms of each of its
 * dimensions, outermost first. Two spaces are unified by splitting atoms until they match.
 */
import type { Node } from '../graph.js';
import { inverseOrder } from './view.js';

export class Atom {
  /** What it was split into, or the atom it was unified with. */
  next: readonly Atom[] | null = null;
  constructor(readonly size: number) {}
}

export type Layout = readonly (readonly Atom[])[];

/** Undoes splits and unifications when an attempt fails. */
export class Attempt {
  private readonly changed: Atom[] = [];

  set(atom: Atom, next: readonly Atom[]): void {
    atom.next = next;
    this.changed.push(atom);
  }

  undo(): void {
    for (const atom of this.changed) atom.next = null;
  }
}

export function atoms(list: readonly Atom[]): Atom[] {
  const result: Atom[] = [];
  for (const atom of list) {
    if (atom.next) result.push(...atoms(atom.next));
    else result.push(atom);
  }
  return result;
}

export function freshLayout(shape: readonly number[]): Layout {
  return shape.map((size) => (size === 1 ? [] : [new Atom(size)]));
}

/** Splits the front of `queue` so that it starts with an atom of `size`; false when sizes do not divide. */
function splitFront(queue: Atom[], size: number, attempt: Attempt): boolean {
  const front = queue[0]!;
  if (front.size === size) return true;
  if (front.size % size !== 0) return false;
  const parts = [new Atom(size), new Atom(front.size / size)];
  attempt.set(front, parts);
  queue.splice(0, 1, ...parts);
  return true;
}

/** Layout of the row-major reshape of a value, or `null`. */
function reshapeLayout(layout: Layout, shape: readonly number[], attempt: Attempt): Layout | null {
  const queue = layout.flatMap((list) => atoms(list));
  const result: Atom[][] = [];
  for (const size of shape) {
    const taken: Atom[] = [];
    let left = size;
    while (left > 1) {
      const front = queue[0];
      if (!front) return null;
      if (front.size > left) {
        if (!splitFront(queue, left, attempt)) return null;
      } else if (left % front.size !== 0) return null;
      const atom = queue.shift()!;
      taken.push(atom);
      left /= atom.size;
    }
    result.push(taken);
  }
  return queue.length === 0 ? result : null;
}

/** Layout of the output of a view that keeps every element once, given the layout of its input. */
export function viewLayout(
  node: Node,
  layout: Layout,
  shape: readonly number[],
  attempt: Attempt,
): Layout | null {
  if (node.op === 'permute') return (node.attrs.dims as readonly number[]).map((d) => layout[d]!);
  return reshapeLayout(layout, shape, attempt);
}

/** Layout of the input of such a view, given the layout of its output. */
export function inverseViewLayout(
  node: Node,
  layout: Layout,
  inputShape: readonly number[],
  attempt: Attempt,
): Layout | null {
  if (node.op === 'permute') return inverseOrder(node.attrs.dims as readonly number[]).map((d) => layout[d]!);
  return reshapeLayout(layout, inputShape, attempt);
}

/** Adds or drops dimensions of size 1 at the front. */
export function padLayout(layout: Layout, rank: number): Layout {
  if (layout.length <= rank) return [...new Array<readonly Atom[]>(rank - layout.length).fill([]), ...layout];
  return layout.slice(layout.length - rank);
}

/** Makes the two layouts name the same atoms; false when their factors do not match. */
export function unify(a: Layout, b: Layout, attempt: Attempt): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) {
    const left = atoms(a[d]!);
    const right = atoms(b[d]!);
    while (left.length > 0 && right.length > 0) {
      const size = Math.min(left[0]!.size, right[0]!.size);
      if (!splitFront(left, size, attempt) || !splitFront(right, size, attempt)) return false;
      const [x, y] = [left.shift()!, right.shift()!];
      if (x !== y) attempt.set(y, [x]);
    }
    if (left.length !== right.length) return false;
  }
  return true;
}

/** Whether the layout names every atom once, that is, covers its space. */
export function isProper(layout: Layout): boolean {
  const all = layout.flatMap((list) => atoms(list));
  return new Set(all).size === all.length;
}

/** Strides of a view per atom, given its strides per dimension. */
export function atomStrides(layout: Layout, strides: readonly number[]): Map<Atom, number> {
  const result = new Map<Atom, number>();
  for (const [d, list] of layout.entries()) {
    let step = strides[d]!;
    for (const atom of atoms(list).reverse()) {
      result.set(atom, step);
      step *= atom.size;
    }
  }
  return result;
}
