/**
 * Memory planning: how long each arena buffer lives, which outputs may stand where an input dies, and exact offsets in
 * one arena. Greedy: the largest buffer first, into the tightest gap between buffers that live at the same time.
 */
import { ALIGNMENT, align } from './layout.js';
import { type Kernel, KernelList, STORAGE_BYTES } from './lower/kernel.js';
import { sameView } from './lower/view.js';

export interface Plan {
  /** Byte offset in the arena by buffer; -1 for buffers elsewhere or never used. */
  readonly offsets: readonly number[];
  /** First and last kernel that touch the buffer; outputs in place share the interval of the whole chain. */
  readonly lifetimes: readonly Lifetime[];
  readonly arenaBytes: number;
  /** Bytes that must coexist at the fullest kernel: no plan can be smaller. */
  readonly lowerBound: number;
}

export interface Lifetime {
  /** Buffer whose memory this one uses: itself, or the input it replaced. */
  readonly home: number;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** Pairs (output, input) of operands that may be the same tensor; `fused` allows every pair. */
const IN_PLACE: Readonly<Record<string, readonly [number, number]>> = {
  matmul: [0, 4],
  softmax: [0, 1],
  log_softmax: [0, 1],
  softmax_grad: [0, 2],
  log_softmax_grad: [0, 2],
  layer_norm: [0, 3],
  layer_norm_grad: [0, 3],
  cross_entropy_grad: [0, 1],
  cumulate: [0, 1],
  dropout: [0, 2],
};

export function plan(list: KernelList): Plan {
  const { buffers, kernels } = list;
  const first = new Array<number>(buffers.length).fill(-1);
  const last = new Array<number>(buffers.length).fill(-1);
  for (const [k, kernel] of kernels.entries()) {
    for (const view of kernel.operands) {
      if (!view) continue;
      if (first[view.buffer]! < 0) first[view.buffer] = k;
      last[view.buffer] = k;
    }
  }
  const home = buffers.map((_, i) => i);
  const end = [...last];
  const resolve = (buffer: number): number => (home[buffer] === buffer ? buffer : resolve(home[buffer]!));
  for (const [k, kernel] of kernels.entries()) {
    for (const [output, input] of candidates(kernel)) {
      const [to, from] = [kernel.operands[output]!.buffer, kernel.operands[input]!.buffer];
      if (buffers[to]!.segment !== 'arena' || buffers[from]!.segment !== 'arena' || home[to] !== to) continue;
      if (first[to] !== k || end[resolve(from)] !== k) continue;
      if (
        buffers[to]!.elements !== buffers[from]!.elements ||
        buffers[to]!.storage !== buffers[from]!.storage
      )
        continue;
      home[to] = resolve(from);
      end[home[to]] = last[to]!;
    }
  }
  const lifetimes = buffers.map((buffer, i): Lifetime => {
    const root = resolve(i);
    const bytes = align(Math.max(1, buffer.elements) * STORAGE_BYTES[buffer.storage]);
    return { home: root, first: first[root]!, last: end[root]!, bytes };
  });
  const roots = lifetimes
    .map((lifetime, i) => ({ ...lifetime, i }))
    .filter(({ i, home: root, first: start }) => root === i && start >= 0 && buffers[i]!.segment === 'arena');
  const offsets = new Array<number>(buffers.length).fill(-1);
  const arenaBytes = assign(roots, offsets);
  for (const [i, { home: root }] of lifetimes.entries()) if (root !== i) offsets[i] = offsets[root]!;
  return { offsets, lifetimes, arenaBytes, lowerBound: mostAtOnce(roots, kernels.length) };
}

/** Kernels without the copies that planning turned into copies of a tensor onto itself. */
export function withoutSelfCopies(list: KernelList, result: Plan): KernelList {
  const kept = new KernelList();
  kept.buffers.push(...list.buffers);
  kept.kernels.push(
    ...list.kernels.filter((kernel) => {
      const [to, from] = kernel.operands;
      const copies =
        kernel.op === 'fused' && kernel.operands.length === 2 && kernel.ints.length === COPY_INTS;
      if (!copies || !to || !from || kernel.ints[3] !== 0) return true;
      const home = (buffer: number) => result.lifetimes[buffer]!.home;
      return home(to.buffer) !== home(from.buffer) || !sameView({ ...to, buffer: from.buffer }, from);
    }),
  );
  return kept;
}

/** lane, outputCount, reduceMask and one output, no code. */
const COPY_INTS = 6;

/** Operand pairs of a kernel that are the very same tensor seen from both sides, nothing else reading it. */
function candidates(kernel: Kernel): [number, number][] {
  const pairs: [number, number][] = [];
  if (kernel.op === 'fused') {
    const outputCount = kernel.ints[1]!;
    for (let output = 0; output < outputCount; output++) {
      if (kernel.ints[3 + 3 * output] !== 0) continue;
      const used = new Set(pairs.map(([, input]) => input));
      for (let input = outputCount; input < kernel.operands.length; input++) {
        if (used.has(input) || !fits(kernel, output, input, true)) continue;
        pairs.push([output, input]);
        break;
      }
    }
    return pairs;
  }
  const pair = IN_PLACE[kernel.op];
  return pair && fits(kernel, pair[0], pair[1], false) ? [[...pair]] : [];
}

function fits(kernel: Kernel, output: number, input: number, alikeAllowed: boolean): boolean {
  const [to, from] = [kernel.operands[output], kernel.operands[input]];
  if (!to || !from || kernel.updates.includes(output)) return false;
  if (!sameView({ ...to, buffer: from.buffer }, from)) return false;
  return kernel.operands.every((other, i) => {
    if (!other || i === input || other.buffer !== from.buffer) return true;
    return alikeAllowed && i >= kernel.outputs && sameView(other, from);
  });
}

interface Root extends Lifetime {
  readonly i: number;
}

function assign(roots: readonly Root[], offsets: number[]): number {
  const order = [...roots].sort(
    (a, b) => b.bytes - a.bytes || b.last - b.first - (a.last - a.first) || a.i - b.i,
  );
  const placed: Root[] = [];
  let top = 0;
  for (const root of order) {
    const busy = placed
      .filter((other) => other.first <= root.last && root.first <= other.last)
      .map((other) => ({ start: offsets[other.i]!, end: offsets[other.i]! + other.bytes }))
      .sort((a, b) => a.start - b.start);
    let best = -1;
    let tightest = Infinity;
    let at = 0;
    for (const { start, end } of busy) {
      const gap = start - at;
      if (gap >= root.bytes && gap < tightest) [best, tightest] = [at, gap];
      at = Math.max(at, end);
    }
    offsets[root.i] = best >= 0 ? best : at;
    top = Math.max(top, offsets[root.i]! + root.bytes);
    placed.push(root);
  }
  return top;
}

function mostAtOnce(roots: readonly Lifetime[], kernels: number): number {
  const change = new Array<number>(kernels + 1).fill(0);
  for (const { first, last, bytes } of roots) {
    change[first]! += bytes;
    change[last + 1]! -= bytes;
  }
  let live = 0;
  let most = 0;
  for (const bytes of change) most = Math.max(most, (live += bytes));
  return most;
}

/**
 * What is wrong with a plan, if anything: two buffers that live at once and overlap, a buffer beyond the arena or off
 * its alignment. Empty when the plan is sound.
 */
export function checkPlan(list: KernelList, result: Plan): string[] {
  const problems: string[] = [];
  const used = result.lifetimes
    .map((lifetime, i) => ({ ...lifetime, i, offset: result.offsets[i]! }))
    .filter(({ i, home, first }) => home === i && first >= 0 && list.buffers[i]!.segment === 'arena');
  let top = 0;
  for (const [n, a] of used.entries()) {
    if (a.offset < 0 || a.offset % ALIGNMENT !== 0) problems.push(`Buffer ${a.i} stands at ${a.offset}.`);
    top = Math.max(top, a.offset + a.bytes);
    for (const b of used.slice(n + 1)) {
      const together = a.first <= b.last && b.first <= a.last;
      if (together && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes) {
        problems.push(`Buffers ${a.i} and ${b.i} overlap.`);
      }
    }
  }
  if (top !== result.arenaBytes) problems.push(`The arena has ${result.arenaBytes} bytes, not ${top}.`);
  return problems;
}
