/**
 * The reference executor: runs a serialized program over real memory, slowly and in float64. Tests compare it with the
 * graph interpreter; wrong offsets, strides, aliases and lifetimes show as wrong numbers or as NaN from the poison.
 */
import type { Program } from '../program.js';
import { deserialize } from '../serialize.js';
import { runFused } from './fused.js';
import { KERNELS } from './kernels.js';
import { Memory, type Segments, allocate } from './memory.js';

export class ReferenceProgram {
  readonly program: Program;
  readonly segments: Segments;

  constructor(bytes: Uint8Array, state?: ArrayBuffer) {
    this.program = deserialize(bytes);
    this.segments = allocate(this.program, state);
  }

  run(): void {
    const { tensors, instructions, constants } = this.program;
    for (const [i, instruction] of instructions.entries()) {
      const operands = instruction.operands.map((index) =>
        index < 0 ? null : new Memory(tensors[index]!, this.segments),
      );
      try {
        if (instruction.op === 'fused') runFused(instruction, operands);
        else if (instruction.op === 'constant') {
          const [start, length] = instruction.ints as [number, number];
          const ref = tensors[instruction.operands[0]!]!;
          const target = new Uint8Array(this.segments[ref.segment], ref.byteOffset, length);
          target.set(constants.subarray(start, start + length));
        } else KERNELS[instruction.op](operands, instruction);
      } catch (error) {
        throw new Error(`Instruction ${i} (${instruction.op}): ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  }

  f32(segment: 'state' | 'io' | 'arena', byteOffset: number, count: number): Float32Array {
    return new Float32Array(this.segments[segment], byteOffset, count);
  }
}
