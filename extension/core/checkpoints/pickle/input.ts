/** The bytes of a pickle, from the front: a window of a source that may be larger than memory. */
import { type ByteSource, bytesOf, MemorySource, PartSource } from '../byteSource.js';
import { FormatError } from '../weightsError.js';

const WINDOW = 1 << 16;
const LONGEST_LINE = 1 << 16;

/** Limits that hold for all pickles of one file together: what it may ask of memory and time. */
export class Budget {
  #operations = 8_000_000;
  #text = 1 << 28;

  operations(count: number): void {
    this.#operations -= count;
    if (this.#operations < 0) throw new FormatError('its pickle is longer than that of any checkpoint');
  }

  text(bytes: number): void {
    this.#text -= bytes;
    if (this.#text < 0) throw new FormatError('its pickle holds more text than any checkpoint');
  }
}

export class PickleInput {
  #window: Buffer;
  /** Where the window begins in the source. */
  #base: number;
  /** Next byte, from the window's start. */
  #next = 0;

  constructor(
    readonly source: ByteSource,
    start = 0,
  ) {
    this.#base = start;
    this.#window = Buffer.alloc(0);
    if (source instanceof MemorySource) {
      this.#window = source.bytes;
      this.#base = 0;
      this.#next = start;
    }
  }

  get position(): number {
    return this.#base + this.#next;
  }

  #fill(length: number): void {
    const start = this.position;
    const left = this.source.size - start;
    if (length > left) throw new FormatError('its pickle ends too early');
    this.#window = bytesOf(this.source, start, Math.min(left, Math.max(length, WINDOW)));
    this.#base = start;
    this.#next = 0;
  }

  byte(): number {
    if (this.#next >= this.#window.length) this.#fill(1);
    return this.#window[this.#next++]!;
  }

  /** The next bytes; asks for no more than there are. */
  bytes(length: number): Buffer {
    if (length > this.#window.length - this.#next) this.#fill(length);
    this.#next += length;
    return this.#window.subarray(this.#next - length, this.#next);
  }

  /** Steps over bytes and gives them as a range. */
  range(length: number): ByteSource {
    if (length > this.source.size - this.position) throw new FormatError('its pickle ends too early');
    const part = new PartSource(this.source, this.position, length);
    this.skip(length);
    return part;
  }

  skip(length: number): void {
    const inWindow = this.#window.length - this.#next;
    if (length <= inWindow) this.#next += length;
    else {
      this.#base = this.position + length;
      this.#window = Buffer.alloc(0);
      this.#next = 0;
    }
  }

  /** Up to the next line feed, without it; bytes as characters. */
  line(): string {
    const found: number[] = [];
    for (let byte = this.byte(); byte !== 10; byte = this.byte()) {
      found.push(byte);
      if (found.length > LONGEST_LINE) throw new FormatError('its pickle is damaged');
    }
    return Buffer.from(found).toString('latin1');
  }

  /** A length of 8 bytes. */
  length64(): number {
    const value = this.bytes(8).readBigUInt64LE(0);
    if (value > BigInt(this.source.size)) throw new FormatError('its pickle ends too early');
    return Number(value);
  }
}
