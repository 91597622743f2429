/**
 * The part of the zip format that checkpoints need (PKWARE APPNOTE 6.3): central directory, zip64, stored and deflated
 * entries, read by position. Only the directory is read when an archive is opened, so that the tensors of a large file
 * stay where they are; a library that streams entries would read a whole entry for a part of one.
 */
import { inflateRawSync } from 'node:zlib';
import { type ByteSource, bytesOf, MemorySource, PartSource } from './byteSource.js';
import { FormatError } from './weightsError.js';

export interface ZipEntry {
  readonly name: string;
  /** Bytes once decompressed. */
  readonly size: number;
  /** The entry's bytes; throws {@link FormatError} when its header is wrong. */
  open(): ByteSource;
}

const END = 0x06054b50;
const END_BYTES = 22;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const LARGEST_DIRECTORY = 1 << 28;
/** Deflate cannot do better than about 1032 to 1; what claims more is a lie about memory. */
const BEST_DEFLATE = 1032;
const LARGEST_DEFLATED = 2 ** 31 - 1;

const STORED = 0;
const DEFLATED = 8;

/** Entries by name, in the order of the directory. Throws {@link FormatError}. */
export function readZip(source: ByteSource): Map<string, ZipEntry> {
  const { entries, start, size } = directoryOf(source);
  if (size > LARGEST_DIRECTORY)
    throw new FormatError('its zip directory is larger than any checkpoint needs');
  const directory = bytesOf(source, start, size);
  const found = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < entries; i++) {
    if (at + DIRECTORY_ENTRY_BYTES > size || directory.readUInt32LE(at) !== DIRECTORY_ENTRY)
      throw new FormatError('its zip directory is damaged');
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const next = at + DIRECTORY_ENTRY_BYTES + nameLength + extraLength + directory.readUInt16LE(at + 32);
    if (next > size) throw new FormatError('its zip directory is damaged');
    const nameStart = at + DIRECTORY_ENTRY_BYTES;
    const name = directory.toString('utf8', nameStart, nameStart + nameLength);
    const extra = directory.subarray(nameStart + nameLength, nameStart + nameLength + extraLength);
    found.set(name, entryOf(source, name, directory.subarray(at, nameStart), extra));
    at = next;
  }
  return found;
}

/** Where the central directory is. */
function directoryOf(source: ByteSource): { entries: number; start: number; size: number } {
  const length = Math.min(source.size, END_BYTES + LONGEST_COMMENT);
  const base = source.size - length;
  const tail = bytesOf(source, base, length);
  let end = length - END_BYTES;
  while (
    end >= 0 &&
    !(tail.readUInt32LE(end) === END && tail.readUInt16LE(end + 20) === length - end - END_BYTES)
  )
    end -= 1;
  if (end < 0)
    throw new FormatError('it is a zip archive without its end, as a download that was cut off is');
  const found = {
    entries: tail.readUInt16LE(end + 10),
    size: tail.readUInt32LE(end + 12),
    start: tail.readUInt32LE(end + 16),
  };
  if (found.entries !== 0xffff && found.size !== 0xffffffff && found.start !== 0xffffffff) return found;
  const locatorAt = base + end - LOCATOR_BYTES;
  if (locatorAt < 0) return found;
  const locator = bytesOf(source, locatorAt, LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== LOCATOR) return found;
  const end64 = bytesOf(source, wholeNumber(locator, 8), END64_BYTES);
  if (end64.readUInt32LE(0) !== END64) throw new FormatError('its zip64 directory is damaged');
  return { entries: wholeNumber(end64, 32), size: wholeNumber(end64, 40), start: wholeNumber(end64, 48) };
}

/** An unsigned 64-bit number, if it is one that a file can have. */
function wholeNumber(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw new FormatError('its zip directory is damaged');
  return value;
}

function entryOf(source: ByteSource, name: string, fixed: Buffer, extra: Buffer): ZipEntry {
  const flags = fixed.readUInt16LE(8);
  const method = fixed.readUInt16LE(10);
  const wide = zip64(extra, [fixed.readUInt32LE(24), fixed.readUInt32LE(20), fixed.readUInt32LE(42)]);
  const [size, compressedSize, headerAt] = wide;
  const data = (): PartSource => {
    const local = bytesOf(source, headerAt, LOCAL_BYTES);
    if (local.readUInt32LE(0) !== LOCAL)
      throw new FormatError(`its entry ${name.slice(0, 80)} is not where the zip directory says`);
    const start = headerAt + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
    return new PartSource(source, start, compressedSize);
  };
  let inflated: MemorySource | null = null;
  const open = (): ByteSource => {
    if ((flags & 1) !== 0) throw new FormatError('its zip entries are encrypted');
    if (method === STORED) {
      if (size !== compressedSize) throw new FormatError('its zip directory is damaged');
      return data();
    }
    if (method !== DEFLATED)
      throw new FormatError(`its zip entries are compressed by method ${method}, not deflate`);
    inflated ??= inflate(data(), size);
    return inflated;
  };
  return { name, size, open };
}

/** Replaces the numbers that did not fit 32 bits: size, compressed size, place of the local header, in this order. */
function zip64(
  extra: Buffer,
  [size, compressed, header]: readonly [number, number, number],
): [number, number, number] {
  const numbers: [number, number, number] = [size, compressed, header];
  for (let at = 0; at + 4 <= extra.length;) {
    const id = extra.readUInt16LE(at);
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (end > extra.length) break;
    let field = at + 4;
    if (id === 1)
      numbers.forEach((value, index) => {
        if (value !== 0xffffffff || field + 8 > end) return;
        numbers[index] = wholeNumber(extra, field);
        field += 8;
      });
    at = end;
  }
  return numbers;
}

function inflate(data: PartSource, size: number): MemorySource {
  if (size > LARGEST_DEFLATED || size > data.size * BEST_DEFLATE + 64)
    throw new FormatError('a compressed zip entry claims an impossible size');
  try {
    const bytes = inflateRawSync(bytesOf(data, 0, data.size), { maxOutputLength: Math.max(1, size) });
    if (bytes.length === size) return new MemorySource(bytes);
  } catch {
    // Said below.
  }
  throw new FormatError('a compressed zip entry is damaged');
}
