/**
 * Bytes that are read by range: a file that may be far larger than memory, a part of one, or a buffer.
 * Nothing here allocates more than the source has.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FormatError } from './weightsError.js';

export interface ByteSource {
  readonly size: number;
  /** Fills `target` from byte `start` on; throws {@link FormatError} when the source ends before. */
  readInto(target: Uint8Array, start: number): void;
}

/** Refuses ranges outside the source, also those that come from overflowing numbers. */
function inside(source: ByteSource, start: number, length: number): void {
  if (!(Number.isSafeInteger(start) && start >= 0 && length >= 0 && start + length <= source.size))
    throw new FormatError('it ends before its data, as a download that was cut off does');
}

/** A copy of a range. */
export function bytesOf(source: ByteSource, start: number, length: number): Buffer {
  inside(source, start, length);
  if (source instanceof MemorySource) return source.bytes.subarray(start, start + length);
  const bytes = Buffer.allocUnsafeSlow(length);
  source.readInto(bytes, start);
  return bytes;
}

/** Bytes in memory. */
export class MemorySource implements ByteSource {
  readonly size: number;

  constructor(readonly bytes: Buffer) {
    this.size = bytes.length;
  }

  readInto(target: Uint8Array, start: number): void {
    inside(this, start, target.length);
    target.set(this.bytes.subarray(start, start + target.length));
  }
}

/** Bytes `[start, start + size)` of another source. */
export class PartSource implements ByteSource {
  constructor(
    readonly whole: ByteSource,
    readonly start: number,
    readonly size: number,
  ) {
    inside(whole, start, size);
  }

  readInto(target: Uint8Array, start: number): void {
    inside(this, start, target.length);
    this.whole.readInto(target, this.start + start);
  }
}

/** Most that one system call is asked for. */
const LARGEST_READ = 1 << 30;

/** An open file, read at positions: the system's cache holds what is used, as with a mapping. */
export class FileSource implements ByteSource {
  readonly size: number;
  #descriptor: number;

  /** Throws the system's error when the file cannot be opened, {@link FormatError} when it is a folder. */
  constructor(file: string) {
    this.#descriptor = openSync(file, 'r');
    const stat = fstatSync(this.#descriptor);
    this.size = stat.size;
    if (stat.isFile()) return;
    this.close();
    throw new FormatError(stat.isDirectory() ? 'it is a folder' : 'it is not an ordinary file');
  }

  readInto(target: Uint8Array, start: number): void {
    inside(this, start, target.length);
    for (let filled = 0; filled < target.length;) {
      const length = Math.min(target.length - filled, LARGEST_READ);
      const got = readSync(this.#descriptor, target, filled, length, start + filled);
      if (got === 0) throw new FormatError('it became shorter while it was read');
      filled += got;
    }
  }

  /** Twice is fine. */
  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}
