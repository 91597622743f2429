/**
 * Strip mining: a run of kernels that pass large matrices of a batch to each other (scores, weights times scores, their
 * gradients) runs block by block over the batch, so that what passes between them stays in cache and needs memory for
 * one block only.
 */
import { type Kernel, KernelList, STORAGE_BYTES } from './lower/kernel.js';
import { type View, product } from './lower/view.js';
import { FUSED_OPS } from './program.js';

/** Buffers from this size on do not stay in a core's cache. */
const LARGE_BYTES = 4 << 20;
/** A block of one such buffer should not be larger. */
const BLOCK_BYTES = 3 << 19;
/** Most kernels between the first and the last use of a buffer. */
const LONGEST_RUN = 24;

interface Run {
  first: number;
  last: number;
  /** Large buffers that live within the run only. */
  readonly buffers: Set<number>;
}

/** How one kernel is cut: its dimension, and per operand the step from block to block in elements. */
interface Cut {
  readonly kernel: Kernel;
  readonly dimension: number;
  readonly steps: readonly number[];
}

/** Cuts every run that allows it; a list without such runs comes back as it is. */
export function stripMine(list: KernelList): KernelList {
  const runs = findRuns(list);
  if (runs.length === 0) return list;
  const result = new KernelList();
  result.buffers.push(...list.buffers);
  let at = 0;
  for (const run of runs) {
    result.kernels.push(...list.kernels.slice(at, run.first));
    result.kernels.push(...(cutRun(list, result, run) ?? list.kernels.slice(run.first, run.last + 1)));
    at = run.last + 1;
  }
  result.kernels.push(...list.kernels.slice(at));
  return result;
}

/** Runs of kernels joined by large short-lived buffers that only batched products and element-wise kernels touch. */
function findRuns(list: KernelList): Run[] {
  const touching = new Map<number, number[]>();
  for (const [k, kernel] of list.kernels.entries()) {
    for (const buffer of new Set(kernel.operands.flatMap((view) => (view ? [view.buffer] : [])))) {
      const { segment, elements, storage } = list.buffers[buffer]!;
      if (segment !== 'arena' || elements * STORAGE_BYTES[storage] < LARGE_BYTES) continue;
      touching.set(buffer, [...(touching.get(buffer) ?? []), k]);
    }
  }
  const runs: Run[] = [];
  for (const [buffer, all] of touching) {
    const [first, last] = [all[0]!, all[all.length - 1]!];
    const kernels = all.map((k) => list.kernels[k]!);
    if (last - first > LONGEST_RUN || first === last) continue;
    if (!kernels.every(isCuttable) || !kernels.some(({ op }) => op === 'matmul')) continue;
    runs.push({ first, last, buffers: new Set([buffer]) });
  }
  runs.sort((a, b) => a.first - b.first);
  const joined: Run[] = [];
  for (const run of runs) {
    const before = joined[joined.length - 1];
    if (before && run.first <= before.last) {
      before.last = Math.max(before.last, run.last);
      for (const buffer of run.buffers) before.buffers.add(buffer);
    } else joined.push(run);
  }
  return joined;
}

function isCuttable(kernel: Kernel): boolean {
  if (kernel.updates.length > 0) return false;
  if (kernel.op === 'matmul') return kernel.operands[0]!.shape.length >= 3;
  return kernel.op === 'fused' && !readsPosition(kernel);
}

function readsPosition(kernel: Kernel): boolean {
  const index = FUSED_OPS.indexOf('index');
  for (let at = 3 + 3 * kernel.outputs; at < kernel.ints.length; at += 5)
    if (kernel.ints[at] === index) return true;
  return false;
}

/** The kernels of the run, block by block; `null` when it cannot be cut. */
function cutRun(list: KernelList, result: KernelList, run: Run): Kernel[] | null {
  const kernels = list.kernels.slice(run.first, run.last + 1);
  const parts = separate(kernels, run);
  const blocks = parts && blockCount(list, run);
  if (!parts || !blocks) return null;
  const cuts: Cut[] = [];
  for (const kernel of parts.inside) {
    const cut = cutKernel(list, kernel, run, blocks);
    if (!cut) return null;
    cuts.push(cut);
  }
  if (!agree(cuts, run)) return null;
  const inside: Kernel[] = [];
  for (let block = 0; block < blocks; block++) {
    const local = new Map<number, number>();
    for (const buffer of run.buffers) {
      const { storage, elements } = list.buffers[buffer]!;
      local.set(buffer, result.temporary(storage, [elements / blocks]).buffer);
    }
    inside.push(...cuts.map((cut) => blockOf(cut, block, blocks, local)));
  }
  return [...parts.before, ...inside, ...parts.after];
}

/** Kernels of the run that touch its buffers; the others move in front of it, or behind it. */
function separate(
  kernels: readonly Kernel[],
  run: Run,
): { before: Kernel[]; inside: Kernel[]; after: Kernel[] } | null {
  const before: Kernel[] = [];
  const inside: Kernel[] = [];
  const after: Kernel[] = [];
  for (const kernel of kernels) {
    if (kernel.operands.some((view) => view && run.buffers.has(view.buffer))) {
      if (after.some((other) => conflict(other, kernel))) return null;
      inside.push(kernel);
    } else if ([...inside, ...after].some((other) => conflict(other, kernel))) after.push(kernel);
    else before.push(kernel);
  }
  return { before, inside, after };
}

/** Whether the order of two kernels matters: one writes what the other touches. */
function conflict(a: Kernel, b: Kernel): boolean {
  const written = (kernel: Kernel) => new Set(outputsOf(kernel).map((view) => view.buffer));
  const touches = (kernel: Kernel, buffers: ReadonlySet<number>) =>
    kernel.operands.some((view) => view && buffers.has(view.buffer));
  return touches(a, written(b)) || touches(b, written(a));
}

function outputsOf(kernel: Kernel): View[] {
  return kernel.operands.slice(0, kernel.outputs).filter((view) => view !== null);
}

/** The fewest blocks that divide every buffer of the run and bring the largest below {@link BLOCK_BYTES}. */
function blockCount(list: KernelList, run: Run): number | null {
  let largest = 0;
  for (const buffer of run.buffers) {
    const { storage, elements } = list.buffers[buffer]!;
    largest = Math.max(largest, elements * STORAGE_BYTES[storage]);
  }
  const least = Math.ceil(largest / BLOCK_BYTES);
  const sizes = list.kernels
    .slice(run.first, run.last + 1)
    .filter((kernel) => kernel.op === 'matmul' && run.buffers.has(kernel.operands[0]!.buffer))
    .map((kernel) => product(kernel.operands[0]!.shape.slice(0, -2)));
  for (let count = least; count <= 8 * least; count++) {
    if (sizes.length > 0 && sizes.every((size) => size % count === 0)) return count > 1 ? count : null;
  }
  return null;
}

/** A dimension along which block `i` of every buffer of the run is its `i`-th part, and sums can go on. */
function cutKernel(list: KernelList, kernel: Kernel, run: Run, blocks: number): Cut | null {
  const { shape } = kernel.operands[0]!;
  const dims = kernel.op === 'matmul' ? shape.length - 2 : shape.length;
  for (let dimension = 0; dimension < dims; dimension++) {
    const size = shape[dimension]!;
    if (size % blocks !== 0) continue;
    const steps = kernel.operands.map((view) => {
      const spans = view && view.shape.length === shape.length;
      return spans ? (size / blocks) * view.strides[dimension]! : 0;
    });
    const local = kernel.operands.every((view, i) => {
      if (!view || !run.buffers.has(view.buffer)) return true;
      return (
        steps[i] === list.buffers[view.buffer]!.elements / blocks &&
        staysWithin(view, dimension, blocks, steps[i])
      );
    });
    if (local && sumsGoOn(kernel, dimension, steps)) return { kernel, dimension, steps };
  }
  return null;
}

/** Whether the first block of the view lies in the first `step` elements of its buffer. */
function staysWithin(view: View, dimension: number, blocks: number, step: number): boolean {
  let [low, high] = [view.offset, view.offset];
  for (const [d, size] of view.shape.entries()) {
    const reach = ((d === dimension ? size / blocks : size) - 1) * view.strides[d]!;
    if (reach < 0) low += reach;
    else high += reach;
  }
  return low >= 0 && high < step;
}

/** Outputs that every block writes again must be sums. */
function sumsGoOn(kernel: Kernel, dimension: number, steps: readonly number[]): boolean {
  const reduced = kernel.op === 'fused' && ((kernel.ints[2]! >> dimension) & 1) === 1;
  return outputsOf(kernel).every((_, i) => {
    if (kernel.op === 'fused' && reduced && kernel.ints[3 + 3 * i] !== 0) return kernel.ints[3 + 3 * i] === 1;
    return steps[i] !== 0;
  });
}

/** What one kernel of the run writes outside its buffers, no other may touch. */
function agree(cuts: readonly Cut[], run: Run): boolean {
  return cuts.every((cut) =>
    outputsOf(cut.kernel).every(
      (view) =>
        run.buffers.has(view.buffer) ||
        cuts.every(
          (other) => other === cut || other.kernel.operands.every((seen) => seen?.buffer !== view.buffer),
        ),
    ),
  );
}

function blockOf(cut: Cut, block: number, blocks: number, local: ReadonlyMap<number, number>): Kernel {
  const { kernel, dimension, steps } = cut;
  const rank = kernel.operands[0]!.shape.length;
  const operands = kernel.operands.map((view, i) => {
    if (!view || view.shape.length !== rank) return view;
    const shape = view.shape.map((size, d) => (d === dimension ? size / blocks : size));
    const home = local.get(view.buffer);
    if (home !== undefined) return { ...view, shape, buffer: home };
    return { ...view, shape, offset: view.offset + block * steps[i]! };
  });
  const ints = [...kernel.ints];
  const updates: number[] = [];
  const sums = kernel.op === 'fused' && ((ints[2]! >> dimension) & 1) === 1;
  for (let i = 0; sums && block > 0 && i < kernel.outputs; i++) {
    if (ints[3 + 3 * i] !== 1) continue;
    ints[5 + 3 * i] = 1;
    updates.push(i);
  }
  return { ...kernel, operands, ints, updates, flops: kernel.flops / blocks };
}
