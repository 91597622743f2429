/** Kernels over views: what lowering makes of a graph and what the planner turns into a program. */
import type { DType, Phase } from '../graph.js';
import type { Opcode, Storage } from '../program.js';
import { type View, product, rowMajor } from './view.js';

/** A piece of memory. Arena buffers get their place from the planner; the others have one. */
export interface Buffer {
  readonly storage: Storage;
  readonly elements: number;
  readonly segment: 'arena' | 'state' | 'io';
  /** Bytes from the start of the segment; -1 in the arena until planned. */
  readonly byteOffset: number;
}

export interface Kernel {
  readonly op: Opcode;
  readonly phase: Phase;
  /** Outputs first. */
  readonly operands: readonly (View | null)[];
  /** How many leading operands are written. */
  readonly outputs: number;
  /** Written operands whose old content is read too (accumulation, in-place updates). */
  readonly updates: readonly number[];
  readonly ints: readonly number[];
  readonly floats: readonly number[];
  readonly flops: number;
  /** Where it comes from: one part per graph node, weighted by work. */
  readonly parts: readonly { stack: number; scope: number; weight: number }[];
}

export const STORAGE_BYTES: Readonly<Record<Storage, number>> = { f32: 4, bf16: 2, i64: 8, u8: 1 };

/** Precision is an axis of the experiment: every float is kept as f32, every integer as i64, bool as u8. */
export function storageOf(dtype: DType): 'f32' | 'i64' | 'u8' {
  if (dtype === 'bool') return 'u8';
  return dtype === 'f32' || dtype === 'f64' || dtype === 'bf16' || dtype === 'f16' ? 'f32' : 'i64';
}

/** The buffer table and the kernel list that lowering fills. */
export class KernelList {
  readonly buffers: Buffer[] = [];
  readonly kernels: Kernel[] = [];
  /** Indexes of buffers that have a place, by it: the same memory is the same buffer. */
  private readonly placed = new Map<string, number>();

  /** A new arena buffer and its row-major view. */
  temporary(storage: Storage, shape: readonly number[]): View {
    return this.buffer({ storage, elements: product(shape), segment: 'arena', byteOffset: -1 }, shape);
  }

  buffer(buffer: Buffer, shape: readonly number[]): View {
    return { buffer: this.indexOf(buffer), offset: 0, shape, strides: rowMajor(shape) };
  }

  private indexOf(buffer: Buffer): number {
    const { segment, byteOffset, storage } = buffer;
    const key = `${segment} ${byteOffset} ${storage}`;
    const known = segment === 'arena' ? undefined : this.placed.get(key);
    if (known !== undefined) return known;
    const index = this.buffers.push(buffer) - 1;
    if (segment !== 'arena') this.placed.set(key, index);
    return index;
  }

  storage(view: View): Storage {
    return this.buffers[view.buffer]!.storage;
  }

  /** Bytes moved if every operand is touched once; broadcast dimensions count once. */
  bytes(kernel: Kernel): number {
    let bytes = 0;
    for (const [i, view] of kernel.operands.entries()) {
      if (!view) continue;
      let count = 1;
      for (const [d, size] of view.shape.entries()) if (view.strides[d] !== 0) count *= size;
      const times = i < kernel.outputs && kernel.updates.includes(i) ? 2 : 1;
      bytes += count * STORAGE_BYTES[this.storage(view)] * times;
    }
    return bytes;
  }
}
