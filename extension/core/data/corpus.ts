/** Text as bytes: any file, any folder, or what lies on the machine anyway; always in the same order. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileProblem } from '../fileProblem.js';
import { DataError } from './dataError.js';

export interface Corpus {
  readonly bytes: Uint8Array;
  /** Training text and held-out text; no byte stands in both. */
  readonly training: Uint8Array;
  readonly heldOut: Uint8Array;
  /** SHA-256 of `bytes`, hexadecimal. */
  readonly hash: string;
  /** E.g. `212 files of text found under this folder, 4.0 MB, every tenth 16 KiB block held out`. */
  readonly description: string;
}

export const EMBEDDED_CAP_BYTES = 4 * 2 ** 20;
const FOLDER_CAP_BYTES = 2 ** 30;
const LARGEST_FILE_BYTES = 256 * 2 ** 10;
/** Below this much text the embedded corpus looks in the next folder too. */
const ENOUGH_BYTES = 512 * 2 ** 10;
const SMALLEST_BYTES = 16 * 2 ** 10;
const BLOCK_BYTES = 16 * 2 ** 10;

const TEXT = /\.(md|markdown|txt|rst|py|ts|mts|cts|tsx|js|mjs|cjs|jsx|c|h|cc|cpp|hpp|cu|cuh|rs|go|java)$/i;
const SKIPPED = new Set([
  '.git',
  '.crossover',
  '.cache',
  'dist',
  'build',
  'out',
  '__pycache__',
  '.venv',
  'venv',
]);

/** Text found below the folders, in their order, up to {@link EMBEDDED_CAP_BYTES}. Throws {@link DataError} when too little. */
export function embeddedCorpus(folders: readonly string[]): Corpus {
  const seen = new Set<string>();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const folder of folders) {
    if (size >= ENOUGH_BYTES) break;
    const found = readFolder(folder, EMBEDDED_CAP_BYTES - size, LARGEST_FILE_BYTES, seen);
    parts.push(...found);
    size += found.reduce((sum, part) => sum + part.length, 0);
  }
  if (size < SMALLEST_BYTES)
    throw new DataError(
      `Only ${size} bytes of text were found under ${folders.join(' and ')}: name a file or folder of text with --data.`,
    );
  return byBlocks(parts, `${parts.length} text files found on this machine`);
}

/** A file or a folder of text. Throws {@link DataError}. */
export function readCorpus(place: string): Corpus {
  const stat = statSync(place, { throwIfNoEntry: false });
  if (stat === undefined) throw new DataError(`${place} does not exist: name a file or folder of text.`);
  const parts = stat.isDirectory()
    ? readFolder(place, FOLDER_CAP_BYTES, FOLDER_CAP_BYTES, new Set())
    : [readWhole(place, stat.size)];
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size < 1024)
    throw new DataError(
      `${place} holds ${size} bytes of text, which is too little to train and test on: name more text.`,
    );
  const name = path.basename(place);
  return parts.length === 1 ? byTail(parts[0]!, name) : byBlocks(parts, `${parts.length} files of ${name}`);
}

function readWhole(file: string, size: number): Uint8Array {
  if (size > FOLDER_CAP_BYTES)
    throw new DataError(
      `${file} is ${megabytes(size)}: at most ${megabytes(FOLDER_CAP_BYTES)} of text can be read.`,
    );
  try {
    return readFileSync(file);
  } catch (error) {
    throw new DataError(`${file} could not be read (${fileProblem(error)}).`);
  }
}

/**
 * Text files below a folder, by code-unit order of their paths; links are not followed. A text that was `seen` (licences
 * of libraries, copies) is left out, so that none of it is both trained on and held out.
 */
function readFolder(folder: string, cap: number, largest: number, seen: Set<string>): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let left = cap;
  const walk = (current: string): void => {
    let entries;
    try {
      entries = readdirSync(current, { withFileTypes: true });
    } catch {
      return;
    }
    // The folder's own text before its libraries'.
    const rank = (name: string): number => (name === 'node_modules' ? 1 : 0);
    entries.sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (const entry of entries) {
      if (left <= 0) return;
      const place = path.join(current, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) walk(place);
      } else if (entry.isFile() && TEXT.test(entry.name)) {
        const bytes = readText(place, largest);
        if (bytes === null) continue;
        const hash = sha256(bytes);
        if (seen.has(hash)) continue;
        seen.add(hash);
        parts.push(bytes.subarray(0, left));
        left -= Math.min(left, bytes.length);
      }
    }
  };
  walk(folder);
  return parts;
}

/** The bytes of a text file; `null` for an empty, a huge or a binary one, and for minified code (one endless line). */
function readText(file: string, largest: number): Uint8Array | null {
  try {
    const { size } = statSync(file);
    if (size === 0 || size > largest) return null;
    const bytes = readFileSync(file);
    if (bytes.subarray(0, 4096).includes(0)) return null;
    return /\.(js|mjs|cjs)$/.test(file) && bytes.length > 4096 && !bytes.subarray(0, 4096).includes(0x0a)
      ? null
      : bytes;
  } catch {
    return null;
  }
}

/** One text: the last tenth is held out. */
function byTail(bytes: Uint8Array, name: string): Corpus {
  const cut = Math.floor(bytes.length * 0.9);
  return {
    bytes,
    training: bytes.subarray(0, cut),
    heldOut: bytes.subarray(cut),
    hash: sha256(bytes),
    description: `${name}, ${megabytes(bytes.length)}, the last tenth held out`,
  };
}

/** Many texts: every tenth block is held out, so that both halves see all kinds of text. */
function byBlocks(parts: readonly Uint8Array[], name: string): Corpus {
  const bytes = Buffer.concat(parts);
  const training: Uint8Array[] = [];
  const heldOut: Uint8Array[] = [];
  const block = Math.min(BLOCK_BYTES, Math.ceil(bytes.length / 10));
  for (let start = 0, index = 0; start < bytes.length; start += block, index++)
    (index % 10 === 9 ? heldOut : training).push(bytes.subarray(start, start + block));
  return {
    bytes,
    training: Buffer.concat(training),
    heldOut: Buffer.concat(heldOut),
    hash: sha256(bytes),
    description: `${name}, ${megabytes(bytes.length)}, every tenth block of ${Math.round(block / 1024)} KiB held out`,
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const megabytes = (size: number): string => `${(size / 1e6).toFixed(1)} MB`;
