/** An engine that answers questions for its parent and ends with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { distPath } from '../paths.js';
import type { Answers, EngineRequest, ReplyMessage, RequestMessage } from './requests.js';
import type { WireError } from './wireError.js';

/** A failure told by the engine, with its place in the user's file where there is one. */
export class EngineError extends Error {
  constructor(
    message: string,
    /** Class of the error in the engine, e.g. `TraceError`. */
    readonly kind: string,
    readonly code: string | null,
    readonly file: string | null,
    readonly line: number | null,
  ) {
    super(message);
    this.name = 'EngineError';
  }
}

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: EngineError) => void;
}

/** One engine process. Every request is answered or rejected, also when the process dies. */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #dead: EngineError | null = null;
  #stderr = '';

  constructor() {
    this.#child = spawn(process.execPath, [distPath('engine.js'), 'serve'], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      serialization: 'advanced',
      windowsHide: true,
    });
    this.#child.stderr?.on(
      'data',
      (text: Buffer) => (this.#stderr = (this.#stderr + text.toString()).slice(-4000)),
    );
    this.#child.on('message', (reply: ReplyMessage) => this.#settle(reply));
    this.#child.once('error', (error) => this.#die(`The engine could not be started (${error.message}).`));
    this.#child.once('close', (code, signal) =>
      this.#die(`The engine stopped unexpectedly (${signal ?? `exit code ${code}`})${this.#lastWords()}.`),
    );
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks and waits. Rejects with {@link EngineError}. */
  ask<M extends EngineRequest['method']>(
    request: Extract<EngineRequest, { method: M }>,
  ): Promise<Answers[M]> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== null) {
        reject(this.#dead);
        return;
      }
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, request } satisfies RequestMessage, (error) => {
        if (error !== null) this.#die(`The engine could not be asked (${error.message}).`);
      });
    });
  }

  #settle(reply: ReplyMessage): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (waiting === undefined) return;
    if ('error' in reply) waiting.reject(engineError(reply.error));
    else waiting.resolve(reply.answer as never);
  }

  #die(message: string): void {
    this.#dead ??= new EngineError(message, 'EngineError', 'engine', null, null);
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }

  #lastWords(): string {
    const line = this.#stderr.trim().split('\n').at(-1) ?? '';
    return line === '' ? '' : `: ${line.slice(0, 300)}`;
  }

  /** Ends the process; twice is fine. */
  dispose(): void {
    this.#die('The engine was closed.');
    this.#child.kill('SIGKILL');
  }
}

/** One question to an engine of its own. Rejects with {@link EngineError}. */
export async function askOnce<M extends EngineRequest['method']>(
  request: Extract<EngineRequest, { method: M }>,
): Promise<Answers[M]> {
  const engine = new EngineProcess();
  try {
    return await engine.ask<M>(request);
  } finally {
    engine.dispose();
  }
}

function engineError({ message, name, code, file, line }: WireError): EngineError {
  return new EngineError(message, name, code, file, line);
}

/** Starts an engine for requests and replies. */
export function openEngine(): EngineProcess {
  return new EngineProcess();
}
