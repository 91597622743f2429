/**
 * torch.save since PyTorch 1.6: a zip archive with `NAME/data.pkl`, one entry `NAME/data/KEY` per storage, `NAME/byteorder`.
 * torch.jit.save writes the same with code beside it, which is not looked at.
 */
import { type ByteSource, bytesOf, MemorySource } from './byteSource.js';
import type { Contents } from './checkpoint.js';
import { widthOf } from './dtypes.js';
import { findTensors } from './findTensors.js';
import { PickleInput } from './pickle/input.js';
import { Unpickler } from './pickle/unpickler.js';
import type { Storage } from './storedTensor.js';
import { readLegacyObject } from './torchLegacy.js';
import { type StorageId, TorchObjects } from './torchObjects.js';
import { FormatError, shownName } from './weightsError.js';
import { readZip } from './zip.js';

const LARGEST_BYTE_ORDER = 16;

/** Throws {@link FormatError}. */
export function readTorchZip(source: ByteSource): Contents {
  const entries = readZip(source);
  const pickles = [...entries.keys()].filter((name) => /(?:^|\/)data\.pkl$/.test(name));
  const pickle = pickles.reduce<string | null>(
    (best, name) => (best === null || name.length < best.length ? name : best),
    null,
  );
  if (pickle === null) throw new FormatError(notTorch([...entries.keys()]));
  const folder = pickle.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  if (order !== undefined && order.size <= LARGEST_BYTE_ORDER) {
    const text = order.open();
    if (bytesOf(text, 0, text.size).toString('latin1').trim() === 'big')
      throw new FormatError('it was written on a big-endian machine');
  }
  const storages = new Map<string, Storage>();
  const storageAt = ({ dtype, key, count }: StorageId): Storage => {
    const entry = entries.get(`${folder}data/${key}`);
    const byteLength = count * widthOf(dtype);
    if (byteLength > 0 && entry === undefined)
      throw new FormatError(`its storage "${shownName(key)}" is missing from the zip archive`);
    if (entry !== undefined && !(entry.size >= byteLength))
      throw new FormatError(
        `its storage "${shownName(key)}" has ${entry.size} bytes where ${byteLength} are needed`,
      );
    const known = storages.get(key);
    if (known !== undefined && known.byteLength === byteLength) return known;
    const storage = { id: key, byteLength, open: () => entry?.open() ?? new MemorySource(Buffer.alloc(0)) };
    storages.set(key, storage);
    return storage;
  };
  const objects = new TorchObjects(storageAt, readLegacyObject);
  const value = new Unpickler(new PickleInput(entries.get(pickle)!.open()), objects).load();
  return { format: 'torch zip', ...findTensors(value), opaque: objects.opaque };
}

function notTorch(names: readonly string[]): string {
  if (names.some((name) => name.endsWith('.npy'))) return 'it is an .npz archive of numpy, which is not read';
  return 'it is a zip archive that torch.save did not write (it has no data.pkl)';
}
