/**
 * .safetensors: 8 bytes little-endian header length, a JSON header, then the tensors' bytes (the format's own definition is in
 * the README of huggingface/safetensors). Files come from anywhere, so every number is checked before it is used.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { type ByteSource, bytesOf, PartSource } from './byteSource.js';
import type { Contents, Scalar } from './checkpoint.js';
import { SAFETENSORS_DTYPES, widthOf } from './dtypes.js';
import { contiguousStrides, elementsOf, type StoredTensor } from './storedTensor.js';
import { FormatError, shownName } from './weightsError.js';

const LARGEST_HEADER = 100_000_000;
const MOST_DIMENSIONS = 64;

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Whether a file begins as this format does: a length that fits, and a brace. */
export function isSafetensors(start: Buffer, size: number): boolean {
  return start.length > 8 && start[8] === 0x7b && start.readBigUInt64LE(0) <= BigInt(size - 8);
}

/** Throws {@link FormatError}. */
export function readSafetensors(source: ByteSource): Contents {
  if (source.size < 10) throw new FormatError(`it has only ${source.size} bytes`);
  const length = Number(bytesOf(source, 0, 8).readBigUInt64LE(0));
  if (length > LARGEST_HEADER || length > source.size - 8)
    throw new FormatError('it does not begin with the length of a header, as .safetensors files do');
  let header: unknown;
  try {
    header = JSON.parse(bytesOf(source, 8, length).toString('utf8'));
  } catch {
    throw new FormatError('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new FormatError('its header is not an object');
  const tensors = new Map<string, StoredTensor>();
  const values = new Map<string, Scalar>();
  for (const [name, entry] of Object.entries(header))
    if (name === '__metadata__') metadata(entry, values);
    else tensors.set(name, entryOf(source, name, entry, 8 + length));
  return { format: 'safetensors', root: '', tensors, others: new Map(), values, opaque: new Map() };
}

function metadata(entry: unknown, values: Map<string, Scalar>): void {
  if (typeof entry !== 'object' || entry === null) return;
  for (const [key, value] of Object.entries(entry)) if (typeof value === 'string') values.set(key, value);
}

function entryOf(source: ByteSource, name: string, entry: unknown, base: number): StoredTensor {
  const shown = shownName(name);
  const {
    dtype: type,
    shape,
    data_offsets: offsets,
  } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
  const dtype = typeof type === 'string' ? SAFETENSORS_DTYPES.get(type) : undefined;
  if (dtype === undefined)
    throw new FormatError(
      `tensor "${shown}" has the unknown type ${shownName(JSON.stringify(type) ?? 'none')}`,
    );
  if (!Array.isArray(shape) || shape.length > MOST_DIMENSIONS || !shape.every(whole))
    throw new FormatError(`tensor "${shown}" has no valid shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
    throw new FormatError(`tensor "${shown}" has no valid offsets`);
  const [from, to] = offsets as [number, number];
  const byteLength = elementsOf(shape) * widthOf(dtype);
  if (to < from || to > source.size - base) throw new FormatError(`tensor "${shown}" lies outside the file`);
  if (to - from !== byteLength)
    throw new FormatError(`tensor "${shown}" has ${to - from} bytes where its shape takes ${byteLength}`);
  const storage = {
    id: `${from}:${to}`,
    byteLength,
    open: () => new PartSource(source, base + from, byteLength),
  };
  return { dtype, shape, strides: contiguousStrides(shape), offset: 0, storage };
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
