/**
 * Reads and writes .safetensors: 8 bytes little-endian header length, a JSON header, then the tensors' bytes.
 * Files come from anywhere, so every number is checked before it is used; what is wrong is said in one sentence.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { fileProblem } from '../fileProblem.js';

export class WeightsError extends Error {
  override readonly name = 'WeightsError';
}

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Offset of the first byte in the file. */
  readonly start: number;
  readonly byteLength: number;
}

const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  U16: 2,
  U32: 4,
  U64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
};
const LARGEST_HEADER = 100_000_000;

/** An open file; tensors are read one at a time, so that a large file needs no more memory than its largest tensor. */
export class SafetensorsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly #descriptor: number;

  /** Opens a file and checks its header. Throws {@link WeightsError}. */
  constructor(readonly file: string) {
    try {
      this.#descriptor = openSync(file, 'r');
    } catch (error) {
      throw new WeightsError(`${file} could not be opened (${fileProblem(error)}).`);
    }
    try {
      this.tensors = this.#header();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #wrong(why: string): WeightsError {
    return new WeightsError(`${this.file} is not a valid .safetensors file: ${why}.`);
  }

  #header(): Map<string, StoredTensor> {
    const stat = fstatSync(this.#descriptor);
    if (stat.isDirectory()) throw this.#wrong('it is a folder');
    const { size } = stat;
    if (size < 10) throw this.#wrong(`it has only ${size} bytes`);
    const start = this.#bytes(0, 8);
    if (isPickle(start))
      throw this.#wrong('it was written by torch.save; write it with safetensors.torch.save_file instead');
    const length = Number(start.readBigUInt64LE(0));
    if (length > LARGEST_HEADER || length > size - 8)
      throw this.#wrong(`it does not begin with the length of a header`);
    let header: unknown;
    try {
      header = JSON.parse(this.#bytes(8, length).toString('utf8'));
    } catch {
      throw this.#wrong('its header is not JSON');
    }
    if (typeof header !== 'object' || header === null || Array.isArray(header))
      throw this.#wrong('its header is not an object');
    const found = new Map<string, StoredTensor>();
    for (const [name, entry] of Object.entries(header))
      if (name !== '__metadata__') found.set(name, this.#entry(name, entry, 8 + length, size));
    return found;
  }

  #entry(name: string, entry: unknown, base: number, size: number): StoredTensor {
    const {
      dtype,
      shape,
      data_offsets: offsets,
    } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
    const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
    const elementBytes = typeof dtype === 'string' ? ELEMENT_BYTES[dtype] : undefined;
    if (typeof dtype !== 'string' || elementBytes === undefined)
      throw this.#wrong(`tensor "${name}" has the unknown type ${String(dtype)}`);
    if (!Array.isArray(shape) || !shape.every(whole))
      throw this.#wrong(`tensor "${name}" has no valid shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
      throw this.#wrong(`tensor "${name}" has no valid offsets`);
    const [from, to] = offsets as [number, number];
    const bytes = shape.reduce((product, dim) => product * dim, elementBytes);
    if (to < from || to > size - base) throw this.#wrong(`tensor "${name}" lies outside the file`);
    if (to - from !== bytes)
      throw this.#wrong(`tensor "${name}" has ${to - from} bytes where its shape takes ${bytes}`);
    return { dtype, shape, start: base + from, byteLength: bytes };
  }

  #bytes(start: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let filled = 0; filled < length;) {
      const got = readSync(this.#descriptor, bytes, filled, length - filled, start + filled);
      if (got === 0) throw this.#wrong('it ends before its data');
      filled += got;
    }
    return bytes;
  }

  /** A tensor's bytes as `f32`, `i64` or `u8`, converted where the file holds another type of the same family. */
  read(name: string, storage: 'f32' | 'i64' | 'u8'): Uint8Array {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new WeightsError(`${this.file} has no tensor "${name}".`);
    return convert(
      this.#bytes(tensor.start, tensor.byteLength),
      tensor.dtype,
      storage,
      `${this.file}: tensor "${name}"`,
    );
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Whether a file begins as `torch.save` begins it: a zip archive, or a bare pickle. */
function isPickle(start: Buffer): boolean {
  return start.readUInt32LE(0) === 0x04034b50 || (start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5);
}

function convert(bytes: Buffer, dtype: string, storage: 'f32' | 'i64' | 'u8', where: string): Uint8Array {
  if (storage === 'u8') {
    if (dtype === 'U8' || dtype === 'BOOL' || dtype === 'I8') return bytes;
    throw new WeightsError(`${where} is ${dtype} where the model has booleans or bytes.`);
  }
  const count = bytes.length / ELEMENT_BYTES[dtype]!;
  if (storage === 'f32') {
    if (dtype === 'F32') return bytes;
    const read = FLOAT_READERS[dtype];
    if (read === undefined)
      throw new WeightsError(`${where} is ${dtype} where the model has floating-point numbers.`);
    return new Uint8Array(Float32Array.from({ length: count }, (_, i) => read(bytes, i)).buffer);
  }
  if (dtype === 'I64') return bytes;
  const read = INTEGER_READERS[dtype];
  if (read === undefined) throw new WeightsError(`${where} is ${dtype} where the model has integers.`);
  return new Uint8Array(BigInt64Array.from({ length: count }, (_, i) => BigInt(read(bytes, i))).buffer);
}

type Reader = (bytes: Buffer, index: number) => number;
const FLOAT_READERS: Readonly<Record<string, Reader>> = {
  F64: (bytes, i) => bytes.readDoubleLE(8 * i),
  BF16: (bytes, i) => bits(bytes.readUInt16LE(2 * i) << 16),
  F16: (bytes, i) => half(bytes.readUInt16LE(2 * i)),
};
const INTEGER_READERS: Readonly<Record<string, Reader>> = {
  I32: (bytes, i) => bytes.readInt32LE(4 * i),
  I16: (bytes, i) => bytes.readInt16LE(2 * i),
  I8: (bytes, i) => bytes.readInt8(i),
  U8: (bytes, i) => bytes.readUInt8(i),
};

const scratch = new DataView(new ArrayBuffer(4));
function bits(word: number): number {
  scratch.setInt32(0, word);
  return scratch.getFloat32(0);
}

/** IEEE 754 binary16. */
function half(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 31;
  const fraction = word & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

export interface TensorToStore {
  readonly name: string;
  readonly storage: 'f32' | 'i64' | 'u8';
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Writes tensors in the given order. Throws the system's error when the file cannot be written. */
export function writeSafetensors(file: string, tensors: readonly TensorToStore[]): void {
  let offset = 0;
  const entries = tensors.map(({ name, storage, shape, bytes }) => {
    const begin = offset;
    offset += bytes.length;
    return [name, { dtype: storage.toUpperCase(), shape, data_offsets: [begin, offset] }] as const;
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const header = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const descriptor = openSync(file, 'w');
  try {
    for (const bytes of [length, header, ...tensors.map((tensor) => tensor.bytes)])
      for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written);
  } finally {
    closeSync(descriptor);
  }
}
