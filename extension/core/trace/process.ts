/**
 * The tracer over locked-down processes. Every set of sources gets an interpreter that has seen no other: one spare is
 * kept started for it, and the last few are kept for tracing the same sources again (another context, another batch).
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Trace } from '../compiler/graph.js';
import { TracerChild, type Ending } from './child.js';
import { dropSnapshot } from './snapshot.js';
import { collectSources, type Sources } from './sources.js';
import { TraceError, type TraceRequest, type Tracer } from './tracer.js';
import { decodeResponse } from './wire.js';

const defaultTimeLimitMs = 30_000;
const defaultMemoryLimitBytes = 2 * 2 ** 30;
/** Interpreters kept for sources that were traced before; about 200 MB each. */
const keptInterpreters = 2;

interface Entry {
  readonly child: TracerChild;
  busy: boolean;
}

export class TracerProcess implements Tracer {
  private spare: TracerChild | null = null;
  /** By hash of the sources, oldest first. */
  private readonly used = new Map<string, Entry>();
  private disposed = false;

  /** Starts an interpreter at once, so that the first trace finds it loaded. */
  constructor() {
    this.prepare();
  }

  /** Starts a spare interpreter unless there is one. */
  prepare(): void {
    if (!this.disposed && this.spare?.alive !== true) this.spare = new TracerChild();
  }

  async trace(request: TraceRequest, signal?: AbortSignal): Promise<Trace> {
    if (this.disposed) throw new TraceError('The tracer was closed.', 'sandbox', null, null);
    check(request);
    signal?.throwIfAborted();
    const sources = collectSources(request.file);
    const limits = {
      timeMs: request.timeLimitMs ?? defaultTimeLimitMs,
      memoryBytes: request.memoryLimitBytes ?? defaultMemoryLimitBytes,
    };
    const message = JSON.stringify(wireRequest(request, sources));
    let [key, child] = this.take(sources);
    let answer = await child.ask(message, limits, signal);
    if (answer.kind === 'exit' && child.restored && !child.started) {
      dropSnapshot();
      this.spare?.end({ kind: 'aborted' });
      [key, child] = this.take(sources);
      answer = await child.ask(message, limits, signal);
    }
    if (answer.kind !== 'response') {
      this.prepare();
      signal?.throwIfAborted();
      throw failure(answer, request, limits);
    }
    this.keep(key, child);
    try {
      return absolute(decodeResponse(answer.text), sources);
    } catch (error) {
      const outOfMemory = error instanceof TraceError && error.message.startsWith('MemoryError');
      if (answer.memoryDenied || outOfMemory) throw failure({ kind: 'memory' }, request, limits);
      throw error instanceof TraceError ? absoluteError(error, sources) : error;
    }
  }

  dispose(): void {
    this.disposed = true;
    this.spare?.end({ kind: 'aborted' });
    for (const { child } of this.used.values()) child.end({ kind: 'aborted' });
    this.used.clear();
  }

  /** An interpreter that has seen these sources or none. */
  private take(sources: Sources): [string, TracerChild] {
    const key = createHash('sha256')
      .update(JSON.stringify([sources.file, sources.texts]))
      .digest('hex');
    const known = this.used.get(key);
    if (known?.child.alive === true && !known.busy) {
      known.busy = true;
      return [key, known.child];
    }
    this.prepare();
    const child = this.spare!;
    this.spare = null;
    if (known?.busy !== true) this.used.set(key, { child, busy: true });
    // The next one starts when this one has: a first start makes the snapshot that later ones start from.
    void child.ready.then(() => this.prepare());
    return [key, child];
  }

  /** Keeps the interpreter for the same sources, and lets the oldest go. */
  private keep(key: string, child: TracerChild): void {
    const entry = this.used.get(key);
    if (this.disposed || entry?.child !== child) {
      child.end({ kind: 'aborted' });
      return;
    }
    this.used.delete(key);
    this.used.set(key, { child, busy: false });
    for (const [oldKey, old] of this.used) {
      if (this.used.size <= keptInterpreters) break;
      if (old.busy) continue;
      old.child.end({ kind: 'aborted' });
      this.used.delete(oldKey);
    }
  }
}

/** A tracer with its first interpreter starting. Dispose of it when done; it does not keep the process from exiting. */
export function createTracer(): TracerProcess {
  return new TracerProcess();
}

function check(request: TraceRequest): void {
  for (const name of ['context', 'batch', 'vocab'] as const) {
    if (!Number.isSafeInteger(request[name]) || request[name] < 1) {
      throw new TraceError(
        `${name} must be a whole number above 0, not ${request[name]}.`,
        'entry',
        null,
        null,
      );
    }
  }
  if (!path.isAbsolute(request.file)) {
    throw new TraceError(
      `The model file must be named by its full path, not ${request.file}.`,
      'file',
      null,
      null,
    );
  }
}

/** What `crossover_trace.trace` takes; limits stay on this side. */
function wireRequest(request: TraceRequest, sources: Sources): object {
  return {
    ...request,
    timeLimitMs: undefined,
    memoryLimitBytes: undefined,
    file: sources.file,
    sources: sources.texts,
  };
}

function failure(
  ending: Ending,
  request: TraceRequest,
  limits: { timeMs: number; memoryBytes: number },
): TraceError {
  const file = path.basename(request.file);
  const [message, code] = ((): [string, TraceError['code']] => {
    switch (ending.kind) {
      case 'time':
        return [
          `Tracing ${file} took longer than ${limits.timeMs / 1000} s and was stopped; look for a loop that does not end, or give it more time.`,
          'time',
        ];
      case 'memory':
        return [
          `Tracing ${file} needed more than ${(limits.memoryBytes / 2 ** 30).toFixed(1)} GiB of memory and was stopped; trace a smaller model or a shorter context, or give it more memory.`,
          'memory',
        ];
      case 'size':
        return [
          `The graph of ${file} is too large to be sent; trace a smaller model or a shorter context.`,
          'size',
        ];
      case 'aborted':
        return [`Tracing ${file} was cancelled.`, 'sandbox'];
      case 'exit':
        return [
          `The Python interpreter ended while it traced ${file} (${ending.reason}); look for code that exits, or recursion without an end.`,
          'sandbox',
        ];
    }
  })();
  return new TraceError(message, code, request.file, null);
}

/** A virtual path as a path on this machine; names such as `<expression>` stay. */
function absolutePath(file: string, sources: Sources): string {
  return Object.hasOwn(sources.texts, file) ? path.join(sources.root, file) : file;
}

function absolute(trace: Trace, sources: Sources): Trace {
  const files = (names: readonly string[]): string[] => names.map((name) => absolutePath(name, sources));
  return {
    ...trace,
    init: { ...trace.init, files: files(trace.init.files) },
    forward: { ...trace.forward, files: files(trace.forward.files) },
  };
}

function absoluteError(error: TraceError, sources: Sources): TraceError {
  const file = error.file === null ? null : absolutePath(error.file, sources);
  return new TraceError(error.message, error.code, file, error.line);
}
