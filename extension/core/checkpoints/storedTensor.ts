/** A tensor in a file: where its elements are, and reading them without reading the file. */
import type { ByteSource } from './byteSource.js';
import { bytesOf } from './byteSource.js';
import { conversion, type Dtype, type Held, HELD_BYTES, widthOf } from './dtypes.js';
import { FormatError } from './weightsError.js';

export interface Storage {
  /** Equal for tensors that share memory, unique in the checkpoint. */
  readonly id: string;
  readonly byteLength: number;
  /** The storage's bytes; opened when first needed. */
  open(): ByteSource;
}

export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** In elements, one per dimension, not negative. */
  readonly strides: readonly number[];
  /** First element, in elements from the storage's start. */
  readonly offset: number;
  readonly storage: Storage;
}

const MOST_DIMENSIONS = 64;
const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

export const elementsOf = (shape: readonly number[]): number =>
  shape.reduce((product, dim) => product * dim, 1);

/** Row-major strides. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = strides[axis + 1]! * Math.max(1, shape[axis + 1]!);
  return strides;
}

/** Elements from the first to the last that a tensor touches. */
function spanOf({ shape, strides }: Pick<StoredTensor, 'shape' | 'strides'>): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, dim, axis) => last + (dim - 1) * strides[axis]!, 1);
}

/** Makes a tensor after checking that every element lies inside its storage. Throws {@link FormatError}. */
export function makeTensor(
  dtype: Dtype,
  shape: readonly unknown[],
  strides: readonly unknown[],
  offset: unknown,
  storage: Storage,
): StoredTensor {
  if (shape.length > MOST_DIMENSIONS || !shape.every(whole))
    throw new FormatError('a tensor in it has no valid shape');
  if (strides.length !== shape.length || !strides.every(whole) || !whole(offset))
    throw new FormatError('a tensor in it has no valid strides');
  const tensor = { dtype, shape, strides, offset, storage };
  const count = elementsOf(shape);
  const span = spanOf(tensor);
  if (!Number.isSafeInteger(count) || (count > 0 && (offset + span) * widthOf(dtype) > storage.byteLength))
    throw new FormatError(
      `a tensor of shape [${shape.join(', ')}] in it reaches beyond its ${storage.byteLength} bytes of storage`,
    );
  return tensor;
}

/** Elements converted at a time. */
const CHUNK = 1 << 20;

/** Hands over a tensor's elements in row-major order, converted, piece by piece: `take(byteOffset, bytes)`. */
export function readTensor(
  tensor: StoredTensor,
  held: Held,
  take: (byteOffset: number, bytes: Uint8Array) => void,
): void {
  const convert = conversion(tensor.dtype, held);
  const width = widthOf(tensor.dtype);
  const count = elementsOf(tensor.shape);
  if (count === 0) return;
  const source = tensor.storage.open();
  const start = tensor.offset * width;
  if (isContiguous(tensor)) {
    for (let first = 0; first < count; first += CHUNK) {
      const size = Math.min(CHUNK, count - first);
      take(first * HELD_BYTES[held], convert(bytesOf(source, start + first * width, size * width), size));
    }
    return;
  }
  const span = bytesOf(source, start, spanOf(tensor) * width);
  for (let first = 0; first < count; first += CHUNK) {
    const size = Math.min(CHUNK, count - first);
    take(first * HELD_BYTES[held], convert(gather(span, tensor, width, first, size), size));
  }
}

/** A whole tensor, converted. */
export function tensorBytes(tensor: StoredTensor, held: Held): Uint8Array {
  const bytes = new Uint8Array(elementsOf(tensor.shape) * HELD_BYTES[held]);
  readTensor(tensor, held, (offset, piece) => bytes.set(piece, offset));
  return bytes;
}

function isContiguous({ shape, strides }: StoredTensor): boolean {
  const expected = contiguousStrides(shape);
  return shape.every((dim, axis) => dim === 1 || strides[axis] === expected[axis]);
}

/** Copies elements `[first, first + count)` of a strided tensor, row-major, from the bytes it spans; runs of the last axis at once. */
function gather(
  span: Uint8Array,
  { shape, strides }: StoredTensor,
  width: number,
  first: number,
  count: number,
): Uint8Array {
  const out = new Uint8Array(count * width);
  const index = new Array<number>(shape.length).fill(0);
  let rest = first;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  const last = shape.length - 1;
  for (let done = 0; done < count;) {
    const from = index.reduce((sum, position, axis) => sum + position * strides[axis]!, 0) * width;
    const run = Math.min(shape[last]! - index[last]!, count - done);
    if (strides[last] === 1) out.set(span.subarray(from, from + run * width), done * width);
    else copyStrided(out, done * width, span, from, strides[last]! * width, width, run);
    done += run;
    index[last]! += run;
    for (let axis = last; axis > 0 && index[axis]! >= shape[axis]!; axis--) {
      index[axis] = 0;
      index[axis - 1]! += 1;
    }
  }
  return out;
}

/** Copies every `step / width`-th element; by words where both sides lie on word boundaries. */
function copyStrided(
  out: Uint8Array,
  to: number,
  span: Uint8Array,
  from: number,
  step: number,
  width: number,
  run: number,
): void {
  const words = WORDS[width];
  if (words !== undefined && (span.byteOffset + from) % width === 0 && (out.byteOffset + to) % width === 0) {
    const target = new words(out.buffer as ArrayBuffer, out.byteOffset + to, run);
    const last = run === 0 ? 0 : (step / width) * (run - 1) + 1;
    const source = new words(span.buffer as ArrayBuffer, span.byteOffset + from, last);
    for (let i = 0, at = 0; i < run; i++, at += step / width) target[i] = source[at]!;
    return;
  }
  for (let i = 0; i < run; i++)
    for (let byte = 0; byte < width; byte++) out[to + i * width + byte] = span[from + i * step + byte]!;
}

const WORDS: Readonly<Record<number, typeof Uint16Array | typeof Uint32Array>> = {
  2: Uint16Array,
  4: Uint32Array,
};

/** Whether two tensors of one shape and type hold the same bits; stops at the first difference. */
export function equalTensors(a: StoredTensor, b: StoredTensor): boolean {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  const strides = (tensor: StoredTensor): string => tensor.strides.join();
  if (a.storage.id === b.storage.id && a.offset === b.offset && strides(a) === strides(b)) return true;
  const width = widthOf(a.dtype);
  const count = elementsOf(a.shape);
  // An expanded tensor has more elements than bytes; weights never are, and comparing one could take for ever.
  if (count * width > Math.min(a.storage.byteLength, b.storage.byteLength)) return false;
  const piece = (tensor: StoredTensor, span: Uint8Array | null, first: number, size: number): Uint8Array =>
    span === null
      ? bytesOf(tensor.storage.open(), (tensor.offset + first) * width, size * width)
      : gather(span, tensor, width, first, size);
  const spanned = (tensor: StoredTensor): Uint8Array | null =>
    isContiguous(tensor)
      ? null
      : bytesOf(tensor.storage.open(), tensor.offset * width, spanOf(tensor) * width);
  const [spanA, spanB] = [spanned(a), spanned(b)];
  for (let first = 0; first < count; first += CHUNK) {
    const size = Math.min(CHUNK, count - first);
    if (Buffer.compare(piece(a, spanA, first, size), piece(b, spanB, first, size)) !== 0) return false;
  }
  return true;
}
