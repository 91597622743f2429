/**
 * Tracing and compiling in a thread of its own: the engine stays able to cancel meanwhile, and what tracing and compiling took
 * of memory is given back before anything is measured.
 */
import { parentPort, Worker } from 'node:worker_threads';
import { distPath } from '../paths.js';
import type { ModelSource } from '../experiments/modelSource.js';
import { createTracer } from '../trace/process.js';
import { prepare, type PrepareOptions, type Prepared } from './prepare.js';
import { type DecoderOptions, prepareDecoder, type PreparedDecoder } from './prepareDecoder.js';
import { fromWire, toWire, type WireError } from './wireError.js';

type Question =
  | { readonly kind: 'train'; readonly model: ModelSource; readonly options: PrepareOptions }
  | { readonly kind: 'decode'; readonly model: ModelSource; readonly options: DecoderOptions };

type Ask = Question & { readonly id: number };

type Reply =
  | { readonly id: number; readonly prepared: Prepared | PreparedDecoder }
  | { readonly id: number; readonly error: WireError };

interface Waiting {
  readonly resolve: (prepared: Prepared | PreparedDecoder) => void;
  readonly reject: (error: Error) => void;
}

/** How long a thread may take to close its tracer before it is ended. */
const CLOSE_MS = 1000;

export class Preparer {
  #thread: Worker | null = null;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  /** Starts the thread, and in it the tracer. */
  constructor() {
    this.#start();
  }

  #start(): Worker {
    const thread = new Worker(distPath('engine.js'), { name: 'preparer' });
    thread.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(fromWire(reply.error));
      else waiting?.resolve(reply.prepared);
    });
    thread.on('error', (error) => this.#fail(error));
    thread.on('exit', () => this.#fail(new Error('The compiler stopped unexpectedly.')));
    thread.unref();
    this.#thread = thread;
    return thread;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Traces and compiles. Rejects with the tracer's or the compiler's error; aborting ends the thread. */
  prepare(model: ModelSource, options: PrepareOptions, signal?: AbortSignal): Promise<Prepared> {
    return this.#ask({ kind: 'train', model, options }, signal) as Promise<Prepared>;
  }

  /** As {@link prepare}, for decoding. */
  prepareDecoder(
    model: ModelSource,
    options: DecoderOptions,
    signal?: AbortSignal,
  ): Promise<PreparedDecoder> {
    return this.#ask({ kind: 'decode', model, options }, signal) as Promise<PreparedDecoder>;
  }

  async #ask(question: Question, signal?: AbortSignal): Promise<Prepared | PreparedDecoder> {
    signal?.throwIfAborted();
    const thread = this.#thread ?? this.#start();
    const id = this.#next++;
    const abort = (): void => {
      this.#fail(signal!.reason instanceof Error ? signal!.reason : new Error('Cancelled.'));
      void this.dispose();
    };
    signal?.addEventListener('abort', abort);
    try {
      return await new Promise<Prepared | PreparedDecoder>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        thread.postMessage({ ...question, id } satisfies Ask);
      });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends the thread and its tracer; resolves when their memory is given back. A later `prepare` starts anew. */
  async dispose(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    thread.postMessage(null);
    const timer = setTimeout(() => void thread.terminate(), CLOSE_MS);
    await ended;
    clearTimeout(timer);
  }
}

/** The thread's side: answers one question after the other until it is told to end. */
export function servePreparations(): void {
  const port = parentPort!;
  const tracer = createTracer();
  let queue = Promise.resolve();
  port.on('message', (ask: Ask | null) => {
    if (ask === null) {
      tracer.dispose();
      process.exit(0);
    }
    const { id } = ask;
    queue = queue.then(async () => {
      const prepared =
        ask.kind === 'train'
          ? prepare(tracer, ask.model, ask.options)
          : prepareDecoder(tracer, ask.model, ask.options);
      const reply = await prepared.then(
        (done): Reply => ({ id, prepared: done }),
        (error: unknown): Reply => ({ id, error: toWire(error) }),
      );
      port.postMessage(reply);
    });
  });
}
