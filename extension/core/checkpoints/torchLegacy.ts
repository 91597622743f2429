/**
 * torch.save before PyTorch 1.6, and with `_use_new_zipfile_serialization=False` since: pickles one after the other (magic
 * number, protocol version, system, the object, the keys of its storages), then for each key 8 bytes with the number of
 * elements and the elements. A lone pickle, as `pickle.dump` writes it, is read too.
 */
import { type ByteSource, bytesOf, PartSource } from './byteSource.js';
import type { Contents } from './checkpoint.js';
import { type Dtype, widthOf } from './dtypes.js';
import { findTensors } from './findTensors.js';
import { PickleInput } from './pickle/input.js';
import { Unpickler } from './pickle/unpickler.js';
import { PyList, PyTuple, type PyValue } from './pickle/values.js';
import type { Storage } from './storedTensor.js';
import { keyOf, refuseBigEndian, type StorageId, TorchObjects } from './torchObjects.js';
import { FormatError, shownName } from './weightsError.js';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

interface LateStorage {
  readonly dtype: Dtype;
  readonly byteLength: number;
  /** Known once the part behind the pickles is read. */
  source: ByteSource | null;
}

/** Throws {@link FormatError}. */
export function readLegacy(source: ByteSource): Contents {
  const { objects, load } = legacyReader(source, null);
  const { value, torch } = load();
  return { format: torch ? 'torch legacy' : 'pickle', ...findTensors(value), opaque: objects.opaque };
}

/** The object of a file inside a pickle. */
export const readLegacyObject = (source: ByteSource, outer: TorchObjects): PyValue =>
  legacyReader(source, outer).load().value;

function legacyReader(
  source: ByteSource,
  outer: TorchObjects | null,
): { objects: TorchObjects; load: () => { value: PyValue; torch: boolean } } {
  const input = new PickleInput(source);
  const late = new Map<string, LateStorage>();
  const prefix = outer === null ? '' : `${outer.nextId()} `;
  const objects = new TorchObjects((id) => storageAt(id, late, prefix), readLegacyObject, outer);
  const next = (): PyValue => new Unpickler(input, objects).load();
  const load = (): { value: PyValue; torch: boolean } => {
    const first = next();
    if (first !== MAGIC) {
      if (late.size > 0) throw new FormatError('it is a pickle whose tensors are stored elsewhere');
      return { value: first, torch: false };
    }
    if (next() !== VERSION) throw new FormatError('it is of a version of torch.save that is not known');
    refuseBigEndian(next());
    const value = next();
    placeStorages(input, next(), late);
    return { value, torch: true };
  };
  return { objects, load };
}

/** The storage of an id; a view is a part of its root, counted in elements of the root's type. */
function storageAt(
  { dtype, key, count, view }: StorageId,
  late: Map<string, LateStorage>,
  prefix: string,
): Storage {
  let root = late.get(key);
  if (root === undefined) {
    root = { dtype, byteLength: count * widthOf(dtype), source: null };
    late.set(key, root);
  }
  const width = widthOf(root.dtype);
  const start = view === null ? 0 : view.offset * width;
  const byteLength = view === null ? root.byteLength : view.count * width;
  if (start + byteLength > root.byteLength) throw new FormatError('a view in it reaches beyond its storage');
  const placed = root;
  return {
    id: view === null ? prefix + key : `${prefix}${key}+${start}`,
    byteLength,
    open: () => {
      if (placed.source === null) throw new FormatError(`its storage "${shownName(key)}" is missing`);
      return new PartSource(placed.source, start, byteLength);
    },
  };
}

/** Steps over the elements behind the pickles and remembers where each storage is. */
function placeStorages(input: PickleInput, keys: PyValue, late: ReadonlyMap<string, LateStorage>): void {
  const items = keys instanceof PyList || keys instanceof PyTuple ? keys.items : null;
  if (items === null) throw new FormatError('its list of storages is missing');
  const source = input.source;
  let at = input.position;
  for (const item of items) {
    const storage = late.get(keyOf(item));
    if (storage === undefined) throw new FormatError('it lists a storage that no tensor has');
    const count = Number(bytesOf(source, at, 8).readBigInt64LE(0));
    if (count * widthOf(storage.dtype) !== storage.byteLength)
      throw new FormatError('a storage in it has another size than its pickle says');
    storage.source = new PartSource(source, at + 8, storage.byteLength);
    at += 8 + storage.byteLength;
  }
  for (const [key, { source: found, byteLength }] of late)
    if (found === null && byteLength > 0) throw new FormatError(`its storage "${shownName(key)}" is missing`);
}
