/** `events.jsonl`: appended to by the engine, read by everybody, at any moment and from any offset. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { RUN_VERSION, type RunEvent } from './events.js';
import { eventsFile } from './record.js';
import { RunError, systemCode, writeError } from './runError.js';

/** Appends events; each call is one write of whole lines. */
export class EventWriter {
  readonly #file: string;
  readonly #descriptor: number;
  #closed = false;

  /** Creates the log with its header line. Throws {@link RunError}. */
  constructor(folder: string, id: string) {
    this.#file = eventsFile(folder);
    try {
      this.#descriptor = openSync(this.#file, 'wx');
    } catch (error) {
      throw writeError(this.#file, error);
    }
    this.append({ type: 'header', version: RUN_VERSION, id });
  }

  /** Writes lines; after a failure the file is cut back to whole lines and the error says what to do. */
  append(...events: readonly RunEvent[]): void {
    const bytes = Buffer.from(events.map((event) => JSON.stringify(event) + '\n').join(''));
    const before = fstatSync(this.#descriptor).size;
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written);
    } catch (error) {
      ftruncateSync(this.#descriptor, before);
      throw writeError(this.#file, error);
    }
  }

  /** Forces what was appended to the disk. */
  sync(): void {
    try {
      fsyncSync(this.#descriptor);
    } catch (error) {
      throw writeError(this.#file, error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }
}

/** Read at once; a long run's log does not fit a string. */
const BLOCK_BYTES = 1 << 24;

/** Reads a growing log from where it stopped last time. */
export class EventReader {
  readonly #file: string;
  #offset = 0;
  #lines = 0;
  /** Lines that are not events, by number from 1; a torn last line is none of them. */
  readonly damaged: number[] = [];

  constructor(folder: string) {
    this.#file = eventsFile(folder);
  }

  /** Events of the whole lines that were added since the last call. Throws {@link RunError} on another version. */
  read(): RunEvent[] {
    return [...this.events()];
  }

  /** The same one by one, with a block of the log in memory at a time. */
  *events(): Generator<RunEvent> {
    for (let size = BLOCK_BYTES; ;) {
      const text = this.#added(size);
      const end = text.lastIndexOf(0x0a);
      if (end < 0) {
        if (text.length < size) return;
        size *= 2; // A line that is longer than the block.
        continue;
      }
      this.#offset += end + 1;
      for (const line of text.toString('utf8', 0, end).split('\n')) {
        this.#lines += 1;
        const event = parseEvent(line);
        if (event === null) this.damaged.push(this.#lines);
        else if (event.type !== 'header') yield event;
        else if (event.version !== RUN_VERSION)
          throw new RunError(
            `${this.#file} has version ${event.version} and this Crossover reads version ${RUN_VERSION}: open it with the Crossover that wrote it.`,
            'version',
          );
      }
    }
  }

  /** At most `size` bytes from where reading stopped. */
  #added(size: number): Buffer {
    let descriptor: number;
    try {
      descriptor = openSync(this.#file, 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return Buffer.alloc(0);
      throw new RunError(
        `${this.#file} could not be read (${systemCode(error)}): check its permissions.`,
        'damaged',
      );
    }
    try {
      const bytes = Buffer.alloc(Math.min(size, Math.max(0, fstatSync(descriptor).size - this.#offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const got = readSync(descriptor, bytes, filled, bytes.length - filled, this.#offset + filled);
        if (got === 0) break;
        filled += got;
      }
      return bytes.subarray(0, filled);
    } finally {
      closeSync(descriptor);
    }
  }
}

function parseEvent(line: string): RunEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('type' in value)) return null;
    return typeof value.type === 'string' ? (value as RunEvent) : null;
  } catch {
    return null;
  }
}
