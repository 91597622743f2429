/** What the readers of torch.save's formats share: storages by persistent id, numpy arrays, and the checks of the file's own words. */
import { MemorySource, type ByteSource } from './byteSource.js';
import { type Dtype, STORAGE_DTYPES } from './dtypes.js';
import { arrayTensor, type Builder } from './pickle/callables.js';
import { Budget } from './pickle/input.js';
import {
  type PyBytes,
  PyDict,
  PyGlobal,
  PyStorage,
  type PyTensor,
  PyTuple,
  type PyValue,
} from './pickle/values.js';
import type { Storage } from './storedTensor.js';
import { FormatError, shownName } from './weightsError.js';

export interface StorageId {
  readonly dtype: Dtype;
  readonly key: string;
  /** Elements. */
  readonly count: number;
  /** Of a view in the legacy format: its key, first element and elements. */
  readonly view: { readonly key: string; readonly offset: number; readonly count: number } | null;
}

const LONGEST_KEY = 200;
const DEEPEST_NESTING = 4;

/** Reads `('storage', type, key, location, elements[, view])`. Throws {@link FormatError}. */
export function storageId(id: PyValue): StorageId {
  const items = id instanceof PyTuple ? id.items : [];
  const [what, type, key, , count, view = null] = items;
  if (what !== 'storage') throw new FormatError('its pickle refers to something that is not a storage');
  const dtype = storageDtype(type ?? null);
  return { dtype, key: keyOf(key), count: wholeOf(count), view: viewOf(view) };
}

function viewOf(view: PyValue): StorageId['view'] {
  if (!(view instanceof PyTuple)) return null;
  const [key, offset, count] = view.items;
  return { key: keyOf(key), offset: wholeOf(offset), count: wholeOf(count) };
}

export function keyOf(key: PyValue | undefined): string {
  const text = typeof key === 'number' || typeof key === 'bigint' ? String(key) : key;
  if (typeof text !== 'string' || text.length > LONGEST_KEY)
    throw new FormatError('its pickle names a storage wrongly');
  return text;
}

export function wholeOf(count: PyValue | undefined): number {
  if (!Number.isSafeInteger(count) || (count as number) < 0)
    throw new FormatError('its pickle gives a storage no valid size');
  return count as number;
}

/** `torch.FloatStorage`, `torch.cuda.FloatStorage`; an untyped one counts bytes. */
export function storageDtype(type: PyValue): Dtype {
  const name = type instanceof PyGlobal && type.module.startsWith('torch') ? type.name : '';
  if (name === 'UntypedStorage' || name === '_UntypedStorage') return 'u8';
  const dtype = STORAGE_DTYPES.get(name);
  if (dtype === undefined)
    throw new FormatError(
      `it has a storage of the type ${type instanceof PyGlobal ? shownName(type.path) : 'unknown'}, which is not read`,
    );
  return dtype;
}

/** The objects of one file; a file in a pickle shares the limits of the file around it. */
export class TorchObjects implements Builder {
  readonly opaque: Map<string, number>;
  readonly budget: Budget;
  readonly #depth: number;
  #next = 0;

  constructor(
    readonly storageOf: (id: StorageId) => Storage,
    readonly readNested: (source: ByteSource, outer: TorchObjects) => PyValue,
    readonly outer: TorchObjects | null = null,
  ) {
    this.opaque = outer?.opaque ?? new Map<string, number>();
    this.budget = outer?.budget ?? new Budget();
    this.#depth = outer === null ? 0 : outer.#depth + 1;
    if (this.#depth > DEEPEST_NESTING) throw new FormatError('its pickles are nested too deeply');
  }

  /** A storage; or a class with its source, which the legacy format keeps for whole modules: only the class's name is used. */
  persistent(id: PyValue): PyValue {
    if (id instanceof PyTuple && id.items[0] === 'module') return id.items[1] ?? null;
    const found = storageId(id);
    return new PyStorage(found.dtype, this.storageOf(found));
  }

  nested(bytes: PyBytes): PyValue {
    return this.readNested(bytes.source, this);
  }

  nextId(): string {
    const outermost = this.outer;
    return outermost === null ? `inline ${this.#next++}` : outermost.nextId();
  }

  /** The state of a numpy array: `(version, shape, dtype, is Fortran, bytes)`, older ones without the version. */
  fillArray(array: PyTensor, state: PyValue): void {
    if (!(state instanceof PyTuple)) return;
    const [shape, dtype, fortran, data] = state.items.slice(-4);
    array.tensor = arrayTensor(this, shape, dtype, fortran === true, data);
  }
}

/** A storage of the bytes given. */
export const storageOver = (id: string, source: ByteSource): Storage => ({
  id,
  byteLength: source.size,
  open: () => source,
});

export const emptyStorage = (id: string): Storage => storageOver(id, new MemorySource(Buffer.alloc(0)));

/** Refuses files of machines that store the most significant byte first. */
export function refuseBigEndian(systemInformation: PyValue): void {
  if (systemInformation instanceof PyDict && systemInformation.get('little_endian') === false)
    throw new FormatError('it was written on a big-endian machine');
}
