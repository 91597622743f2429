/** Planned kernels to a program: tensors at fixed places, deduplicated, and flat instructions. */
import type { Graph } from './graph.js';
import { type KernelList, STORAGE_BYTES } from './lower/kernel.js';
import type { View } from './lower/view.js';
import type { Plan } from './plan.js';
import type { Instruction, Program, TensorRef } from './program.js';

export interface Sizes {
  readonly stateBytes: number;
  readonly ioBytes: number;
}

export function assembleProgram(list: KernelList, plan: Plan, graph: Graph, sizes: Sizes): Program {
  const tensors: TensorRef[] = [];
  const known = new Map<string, number>();
  const operand = (view: View | null): number => {
    if (!view) return -1;
    const ref = place(list, plan, view);
    const key = JSON.stringify(ref);
    const index = known.get(key) ?? tensors.push(ref) - 1;
    known.set(key, index);
    return index;
  };
  const constants = new ConstantPool(graph);
  const instructions = list.kernels.map((kernel): Instruction => {
    const { op, phase, floats } = kernel;
    const ints = kernel.op === 'constant' ? constants.place(kernel.ints[0]!) : kernel.ints;
    return { op, phase, operands: kernel.operands.map(operand), ints, floats };
  });
  return { ...sizes, arenaBytes: plan.arenaBytes, tensors, instructions, constants: constants.bytes() };
}

/** Strides of dimensions of size 1 do not matter; they are written as in row-major order. */
function place(list: KernelList, plan: Plan, view: View): TensorRef {
  const buffer = list.buffers[view.buffer]!;
  const start = buffer.segment === 'arena' ? plan.offsets[view.buffer]! : buffer.byteOffset;
  const strides = [...view.strides];
  for (let d = strides.length - 1; d >= 0; d--) {
    if (view.shape[d] !== 1) continue;
    strides[d] = d === strides.length - 1 ? 1 : Math.abs(strides[d + 1]! * view.shape[d + 1]!);
  }
  const byteOffset = start + view.offset * STORAGE_BYTES[buffer.storage];
  return { segment: buffer.segment, storage: buffer.storage, byteOffset, shape: view.shape, strides };
}

/** Constants of the graph that a program uses, each once. */
class ConstantPool {
  private readonly used = new Map<number, number>();
  private length = 0;

  constructor(private readonly graph: Graph) {}

  /** byteStart and byteLength of a blob. */
  place(blob: number): [number, number] {
    const { length } = this.graph.constants[blob]!;
    let start = this.used.get(blob);
    if (start === undefined) {
      start = this.length;
      this.used.set(blob, start);
      this.length += Math.ceil(length / 8) * 8;
    }
    return [start, length];
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    for (const [blob, start] of this.used) bytes.set(this.graph.constants[blob]!, start);
    return bytes;
  }
}
