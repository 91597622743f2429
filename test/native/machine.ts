/** Runs instructions of the native addon on small tensors, with guards around every buffer. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { Instruction, Opcode, Storage, TensorRef } from '../../extension/core/compiler/program.js';
import { serialize } from '../../extension/core/compiler/serialize.js';
import type { NativeAddon } from '../../extension/core/engine/binding.js';
import { distPath } from '../../extension/core/paths.js';

export const addonPath = distPath('native', 'crossover.node');
export const addon = createRequire(import.meta.url)(addonPath) as NativeAddon;

const GUARD = 0xa5;
const GUARD_BYTES = 64;
const BYTES: Record<Storage, number> = { f32: 4, bf16: 2, i64: 8, u8: 1 };

/** A tensor of a machine. `values` in row-major order; without them it is poisoned: NaN, or a senseless number. */
export interface TensorOptions {
  readonly storage?: Storage;
  readonly values?: readonly number[];
  /** In elements; row-major when left out. */
  readonly strides?: readonly number[];
}

export interface Tensor {
  readonly index: number;
  readonly ref: TensorRef;
}

export const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * shape[d + 1]!;
  return strides;
}

/** Offsets of all elements in row-major order. */
export function offsets(shape: readonly number[], strides: readonly number[]): number[] {
  let result = [0];
  shape.forEach((size, d) => {
    result = result.flatMap((base) => Array.from({ length: size }, (_, i) => base + i * strides[d]!));
  });
  return result;
}

/** Pseudo-random numbers in [-1, 1), the same every time. */
export function numbers(count: number, seed: number): number[] {
  let state = (seed * 2654435761) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(state / 2 ** 31 - 1);
  });
}

function bf16(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0]!;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Tensors and instructions that become one program; everything lies in the io segment. */
export class Machine {
  private readonly tensors: TensorRef[] = [];
  private readonly initial: { ref: TensorRef; values: readonly number[] | undefined }[] = [];
  private readonly instructions: Instruction[] = [];
  private bytes = GUARD_BYTES;
  private memory: Uint8Array = new Uint8Array();

  tensor(shape: readonly number[], options: TensorOptions = {}): Tensor {
    const storage = options.storage ?? 'f32';
    const strides = options.strides ?? rowMajor(shape);
    const places = offsets(shape, strides);
    const low = places.reduce((least, at) => Math.min(least, at), 0);
    const high = places.reduce((most, at) => Math.max(most, at), 0);
    const byteOffset = this.bytes - low * BYTES[storage];
    this.bytes += Math.ceil(((high - low + 1) * BYTES[storage]) / 64) * 64 + GUARD_BYTES;
    const ref: TensorRef = { segment: 'io', storage, byteOffset, shape, strides };
    this.tensors.push(ref);
    this.initial.push({ ref, values: options.values });
    return { index: this.tensors.length - 1, ref };
  }

  /** Another view of a tensor's memory. */
  view(tensor: Tensor, shape: readonly number[], strides: readonly number[], elementOffset = 0): Tensor {
    const byteOffset = tensor.ref.byteOffset + elementOffset * BYTES[tensor.ref.storage];
    const ref: TensorRef = { ...tensor.ref, shape, strides, byteOffset };
    this.tensors.push(ref);
    return { index: this.tensors.length - 1, ref };
  }

  op(op: Opcode, operands: readonly (Tensor | null)[], ints: number[] = [], floats: number[] = []): this {
    const indices = operands.map((tensor) => tensor?.index ?? -1);
    this.instructions.push({ op, phase: 'forward', operands: indices, ints, floats });
    return this;
  }

  serialized(): Uint8Array {
    const { tensors, instructions, bytes: ioBytes } = this;
    return serialize({ stateBytes: 0, arenaBytes: 0, ioBytes, tensors, instructions, constants: new Uint8Array() });
  }

  /** Runs the program once on the given number of threads and checks every byte outside tensors. */
  async run(threads = 2): Promise<void> {
    const session = addon.createSession({ threads });
    try {
      const program = session.loadProgram(this.serialized(), session.createState(0));
      program.write(2, 0, this.filled());
      await program.run();
      this.memory = program.read(2, 0, this.bytes);
    } finally {
      session.dispose();
    }
    this.checkGuards();
  }

  /** Elements in row-major order, as numbers. */
  read(tensor: Tensor): number[] {
    const data = new DataView(this.memory.buffer);
    const { storage, byteOffset, shape, strides } = tensor.ref;
    return offsets(shape, strides).map((place) => {
      const at = byteOffset + place * BYTES[storage];
      if (storage === 'f32') return data.getFloat32(at, true);
      if (storage === 'i64') return Number(data.getBigInt64(at, true));
      if (storage === 'u8') return data.getUint8(at);
      return new Float32Array(new Uint32Array([data.getUint16(at, true) << 16]).buffer)[0]!;
    });
  }

  private filled(): Uint8Array {
    const memory = new Uint8Array(this.bytes).fill(GUARD);
    const data = new DataView(memory.buffer);
    for (const { ref, values } of this.initial) {
      offsets(ref.shape, ref.strides).forEach((place, i) => {
        const at = ref.byteOffset + place * BYTES[ref.storage];
        const value = values === undefined ? NaN : values[i]!;
        if (ref.storage === 'f32') data.setFloat32(at, value, true);
        else if (ref.storage === 'i64') data.setBigInt64(at, BigInt(Number.isNaN(value) ? -98765 : value), true);
        else if (ref.storage === 'u8') data.setUint8(at, Number.isNaN(value) ? 77 : value);
        else data.setUint16(at, bf16(value), true);
      });
    }
    return memory;
  }

  private checkGuards(): void {
    const inside = new Uint8Array(this.bytes);
    for (const { storage, byteOffset, shape, strides } of this.tensors) {
      for (const place of offsets(shape, strides)) {
        const at = byteOffset + place * BYTES[storage];
        inside.fill(1, at, at + BYTES[storage]);
      }
    }
    const torn = this.memory.findIndex((byte, i) => inside[i] === 0 && byte !== GUARD);
    assert.equal(torn, -1, `byte ${torn} outside every tensor was written`);
  }
}

/** Every element within `tolerance`, relative to the largest expected magnitude; NaN fails unless NaN is expected. */
export function close(actual: readonly number[], expected: readonly number[], tolerance: number, what = ''): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  const scale = expected.filter(Number.isFinite).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  actual.forEach((value, i) => {
    const want = expected[i]!;
    const same = Object.is(value, want) || value === want;
    const good = same || Math.abs(value - want) <= tolerance * scale;
    assert.ok(good, `${what}[${i}] is ${value}, expected ${want} (scale ${scale}, tolerance ${tolerance})`);
  });
}
