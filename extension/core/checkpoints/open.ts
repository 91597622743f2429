/** Opens a checkpoint of any format: a file, the index of a sharded one, or a folder that holds one. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { type ByteSource, bytesOf, FileSource } from './byteSource.js';
import type { Checkpoint, Contents, Scalar } from './checkpoint.js';
import { isSafetensors, readSafetensors } from './safetensors.js';
import type { StoredTensor } from './storedTensor.js';
import { isTar } from './tar.js';
import { readLegacy } from './torchLegacy.js';
import { readTorchTar } from './torchTar.js';
import { readTorchZip } from './torchZip.js';
import { FormatError, reading, shownName } from './weightsError.js';

/** What is looked for in a folder, in this order. */
const IN_A_FOLDER = [
  'model.safetensors',
  'model.safetensors.index.json',
  'consolidated.safetensors',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'consolidated.00.pth',
  'ckpt.pt',
];
const LONGEST_START = 512;
const LARGEST_INDEX = 100_000_000;
const MOST_SHARDS = 10_000;

/** Opens a checkpoint; its tensors' bytes stay in the file. Throws WeightsError. */
export function openCheckpoint(file: string): Checkpoint {
  return reading(file, () => {
    const found = existsSync(file) && statSync(file).isDirectory() ? inFolder(file) : file;
    return found.endsWith('.index.json')
      ? openShards(file, found)
      : openFiles(file, [found], (read) => read(found));
  });
}

function inFolder(folder: string): string {
  const found = IN_A_FOLDER.map((name) => path.join(folder, name)).find((name) => existsSync(name));
  if (found !== undefined) return found;
  throw new FormatError(`it is a folder without a checkpoint (${IN_A_FOLDER.join(', ')})`);
}

/** Opens files one by one with what `contents` is handed, and closes them all if one fails. */
function openFiles(
  file: string,
  files: readonly string[],
  contents: (read: (name: string) => Contents) => Contents,
): Checkpoint {
  const sources: FileSource[] = [];
  const close = (): void => sources.forEach((source) => source.close());
  try {
    const found = contents((name) => {
      const source = new FileSource(name);
      sources.push(source);
      return readContents(source, name);
    });
    return { file, files, ...found, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Reads a file by what it begins with; the name decides only where that says nothing. Throws {@link FormatError}. */
export function readContents(source: ByteSource, name: string): Contents {
  if (source.size === 0) throw new FormatError('it is empty');
  const start = bytesOf(source, 0, Math.min(source.size, LONGEST_START));
  const magic = start.length < 4 ? 0 : start.readUInt32LE(0);
  if (magic === 0x04034b50 || magic === 0x06054b50) return readTorchZip(source);
  if (isTar(start)) return readTorchTar(source);
  if (isSafetensors(start, source.size)) return readSafetensors(source);
  // PROTO, or the first opcode of a pickle of protocol 0 or 1 that can begin a torch file or a dict.
  if (start[0] === 0x80) return readLegacy(source);
  const foreign = FOREIGN.find(([begins]) => start.toString('latin1').startsWith(begins));
  if (foreign !== undefined) throw new FormatError(foreign[1]);
  if (/\.safetensors$/i.test(name)) return readSafetensors(source);
  if (/[(cL}\])]/.test(String.fromCharCode(start[0]!))) return readLegacy(source);
  throw new FormatError('it is neither .safetensors nor a file of torch.save');
}

/** What other files begin with. */
const FOREIGN: readonly (readonly [string, string])[] = [
  ['version https://git-lfs', 'it is a Git LFS pointer, not the file itself; run git lfs pull'],
  ['GGUF', 'it is a GGUF file; convert it back, or take the .safetensors it was made from'],
  ['\x89HDF', 'it is an HDF5 file; .safetensors and the files of torch.save are read'],
  ['\x93NUMPY', 'it is an .npy file; .safetensors and the files of torch.save are read'],
  ['<', 'it is a web page; the download went wrong'],
];

/** Hugging Face's index: `{"weight_map": {tensor: file}}`, with files beside it. */
function openShards(file: string, index: string): Checkpoint {
  const names = shardsOf(index);
  return openFiles(file, [index, ...names], (read) => {
    const shards = names.map((name) => reading(name, () => read(name)));
    const tensors = new Map<string, StoredTensor>();
    const values = new Map<string, Scalar>();
    const opaque = new Map<string, number>();
    shards.forEach((shard, number) => {
      for (const [name, tensor] of shard.tensors) {
        if (tensors.has(name)) throw new FormatError(`two of its shards hold "${shownName(name)}"`);
        tensors.set(name, {
          ...tensor,
          storage: { ...tensor.storage, id: `${number}/${tensor.storage.id}` },
        });
      }
      for (const [name, value] of shard.values) values.set(name, value);
      for (const [name, count] of shard.opaque) opaque.set(name, (opaque.get(name) ?? 0) + count);
    });
    return { format: shards[0]!.format, root: '', tensors, others: new Map(), values, opaque };
  });
}

function shardsOf(index: string): string[] {
  const source = new FileSource(index);
  try {
    if (source.size > LARGEST_INDEX) throw new FormatError('its index is too large');
    let parsed: unknown;
    try {
      parsed = JSON.parse(bytesOf(source, 0, source.size).toString('utf8'));
    } catch {
      throw new FormatError('it is not JSON');
    }
    const map = (parsed as { weight_map?: unknown } | null)?.weight_map;
    const names =
      typeof map === 'object' && map !== null
        ? [...new Set(Object.values(map as Record<string, unknown>))]
        : [];
    if (names.length === 0 || names.length > MOST_SHARDS)
      throw new FormatError('it has no weight_map of tensors to files');
    return names.map((name) => {
      if (typeof name !== 'string' || name !== path.basename(name) || /^\.*$/.test(name))
        throw new FormatError('its weight_map names a file that is not beside it');
      return path.join(path.dirname(index), name);
    });
  } finally {
    source.close();
  }
}
