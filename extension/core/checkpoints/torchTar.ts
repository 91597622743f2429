/**
 * torch.save of PyTorch up to 0.1.9: a tar archive of `sys_info`, `storages`, `tensors` and `pickle`. Storages and tensors are
 * numbered, and the pickle refers to the numbers.
 */
import { type ByteSource, bytesOf, PartSource } from './byteSource.js';
import type { Contents } from './checkpoint.js';
import { type Dtype, widthOf } from './dtypes.js';
import { findTensors } from './findTensors.js';
import { PickleInput } from './pickle/input.js';
import { Unpickler } from './pickle/unpickler.js';
import { PyList, PyStorage, PyTensor, PyTuple, type PyValue } from './pickle/values.js';
import { contiguousStrides, makeTensor, type Storage } from './storedTensor.js';
import { readTar } from './tar.js';
import { readLegacyObject } from './torchLegacy.js';
import { keyOf, refuseBigEndian, storageDtype, storageOver, TorchObjects, wholeOf } from './torchObjects.js';
import { FormatError, shownName } from './weightsError.js';

const MOST_OBJECTS = 1_000_000;
const MOST_DIMENSIONS = 64;

interface Numbered {
  readonly dtype: Dtype;
  readonly storage: Storage;
}

/** Throws {@link FormatError}. */
export function readTorchTar(source: ByteSource): Contents {
  const members = readTar(source);
  const member = (name: string): ByteSource => {
    const found = members.get(name);
    if (found === undefined)
      throw new FormatError(`it is a tar archive that torch.save did not write (it has no "${name}")`);
    return found;
  };
  const storages = new Map<string, Numbered>();
  const tensors = new Map<string, PyTensor>();
  const objects = new TarObjects(storages, tensors);
  refuseBigEndian(new Unpickler(new PickleInput(member('sys_info')), objects).load());
  readStorages(member('storages'), objects, storages);
  const numbered = members.get('tensors');
  if (numbered !== undefined) readTensors(numbered, objects, storages, tensors);
  const value = new Unpickler(new PickleInput(member('pickle')), objects).load();
  return { format: 'torch tar', ...findTensors(named(value)), opaque: objects.opaque };
}

class TarObjects extends TorchObjects {
  constructor(
    readonly storages: ReadonlyMap<string, Numbered>,
    readonly tensors: ReadonlyMap<string, PyTensor>,
  ) {
    super(({ key }) => this.#storage(key).storage, readLegacyObject);
  }

  #storage(key: string): Numbered {
    const found = this.storages.get(key);
    if (found === undefined) throw new FormatError(`its storage "${shownName(key)}" is missing`);
    return found;
  }

  /** A number stands for a tensor or a storage; a tuple is a storage spelled out, or a class with its source. */
  override persistent(id: PyValue): PyValue {
    if (id instanceof PyTuple) {
      if (id.items[0] !== 'storage') return id.items[1] ?? null;
      const { dtype, storage } = this.#storage(keyOf(id.items[2]));
      return new PyStorage(dtype, storage);
    }
    const key = keyOf(id);
    const { dtype, storage } = this.storages.get(key) ?? {};
    if (dtype !== undefined && storage !== undefined) return new PyStorage(dtype, storage);
    const tensor = this.tensors.get(key);
    if (tensor === undefined) throw new FormatError(`its tensor "${shownName(key)}" is missing`);
    return tensor;
  }
}

/** How many; then for each a pickle `(key, location, type)`, 8 bytes with the number of elements, the elements; then views. */
function readStorages(source: ByteSource, objects: TarObjects, storages: Map<string, Numbered>): void {
  let input = new PickleInput(source);
  const count = countOf(new Unpickler(input, objects).load());
  for (let i = 0; i < count; i++) {
    const [key, , type] = tupleOf(new Unpickler(input, objects).load());
    const dtype = storageDtype(type ?? null);
    const at = input.position;
    const byteLength = Number(bytesOf(source, at, 8).readBigInt64LE(0)) * widthOf(dtype);
    if (!(byteLength >= 0)) throw new FormatError('a storage in it has no valid size');
    const name = keyOf(key);
    storages.set(name, { dtype, storage: storageOver(name, new PartSource(source, at + 8, byteLength)) });
    input = new PickleInput(source, at + 8 + byteLength);
  }
  if (input.position >= source.size) return;
  const views = new Unpickler(input, objects).load();
  for (const view of views instanceof PyList ? views.items : []) {
    const [key, rootKey, offset, elements] = tupleOf(view);
    const root = storages.get(keyOf(rootKey));
    if (root === undefined) throw new FormatError('a view in it has no storage');
    const width = widthOf(root.dtype);
    const part = new PartSource(root.storage.open(), wholeOf(offset) * width, wholeOf(elements) * width);
    storages.set(keyOf(key), { dtype: root.dtype, storage: storageOver(keyOf(key), part) });
  }
}

/** How many; then for each a pickle `(key, storage, type)`, and as numbers: dimensions (8 bytes), sizes, strides, offset. */
function readTensors(
  source: ByteSource,
  objects: TarObjects,
  storages: ReadonlyMap<string, Numbered>,
  tensors: Map<string, PyTensor>,
): void {
  let input = new PickleInput(source);
  const count = countOf(new Unpickler(input, objects).load());
  for (let i = 0; i < count; i++) {
    const [key, storageKey] = tupleOf(new Unpickler(input, objects).load());
    const root = storages.get(keyOf(storageKey));
    if (root === undefined) throw new FormatError('a tensor in it has no storage');
    const at = input.position;
    const dimensions = bytesOf(source, at, 8).readInt32LE(0);
    if (dimensions < 0 || dimensions > MOST_DIMENSIONS)
      throw new FormatError('a tensor in it has no valid shape');
    const numbers = bytesOf(source, at + 8, 8 * (2 * dimensions + 1));
    const number = (index: number): number => Number(numbers.readBigInt64LE(8 * index));
    const shape = Array.from({ length: dimensions }, (_, axis) => number(axis));
    const strides = Array.from({ length: dimensions }, (_, axis) => number(dimensions + axis));
    tensors.set(
      keyOf(key),
      new PyTensor(makeTensor(root.dtype, shape, strides, number(2 * dimensions), root.storage)),
    );
    input = new PickleInput(source, at + 8 + numbers.length);
  }
}

/** A storage that stands where a tensor is expected is one of one dimension. */
function named(value: PyValue): PyValue {
  if (!(value instanceof PyStorage)) return value;
  const count = value.storage.byteLength / widthOf(value.dtype);
  return new PyTensor(makeTensor(value.dtype, [count], contiguousStrides([count]), 0, value.storage));
}

function countOf(value: PyValue): number {
  const count = wholeOf(value);
  if (count > MOST_OBJECTS) throw new FormatError('it claims more tensors than any checkpoint has');
  return count;
}

function tupleOf(value: PyValue): readonly PyValue[] {
  if (value instanceof PyTuple) return value.items;
  throw new FormatError('its list of storages is damaged');
}
