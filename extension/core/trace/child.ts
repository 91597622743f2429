/** One locked-down process: starting it, asking it once at a time, and ending it when it takes too much. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { distPath, pyodidePath } from '../paths.js';
import { residentBytes } from './memory.js';
import { findSnapshot, keepSnapshot } from './snapshot.js';
import { replyLimitBytes, type ReplyHeader, type WorkerRequest } from './protocol.js';

/** Why a process ended before it answered. */
export type Ending =
  | { readonly kind: 'time' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'size' }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'exit'; readonly reason: string };

export type Answer =
  { readonly kind: 'response'; readonly text: string; readonly memoryDenied: boolean } | Ending;

export interface Limits {
  readonly timeMs: number;
  readonly memoryBytes: number;
}

const bootTimeMs = 90_000;
const memoryPollMs = 100;
/** Seconds of processor time after which the kernel ends a process whose parent is gone. */
const cpuSeconds = 900;

function nodeArguments(snapshot: string | null): string[] {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const readable = [distPath('tracer.js'), distPath('python'), pyodidePath()];
  if (snapshot !== null) readable.push(snapshot);
  return [
    permission,
    ...readable.map((folder) => `--allow-fs-read=${folder}`),
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    '--no-addons',
    '--no-deprecation',
    '--no-warnings',
    '--max-old-space-size=1024',
    distPath('tracer.js'),
    distPath('python'),
    pyodidePath(),
    ...(snapshot === null ? [] : [snapshot]),
  ];
}

function start(snapshot: string | null): ChildProcessByStdio<Writable, Readable, null> {
  const options = {
    cwd: distPath('python'),
    // Electron's binary behaves as Node only when asked to.
    env: process.versions['electron'] === undefined ? {} : { ELECTRON_RUN_AS_NODE: '1' },
    stdio: ['pipe', 'pipe', 'ignore'] as ['pipe', 'pipe', 'ignore'],
    windowsHide: true,
  };
  if (process.platform === 'win32') return spawn(process.execPath, nodeArguments(snapshot), options);
  // Where the system can, it ends the process with its parent (or the parent's thread), even in an endless loop.
  const limits =
    `ulimit -c 0; ulimit -f 0; ulimit -t ${cpuSeconds}; ` +
    'if setpriv --pdeathsig KILL true 2>/dev/null; then exec setpriv --pdeathsig KILL "$0" "$@"; fi; exec "$0" "$@"';
  return spawn('/bin/sh', ['-c', limits, process.execPath, ...nodeArguments(snapshot)], options);
}

export class TracerChild {
  /** Resolves when the interpreter is loaded; `null`, or why it could not be. */
  readonly ready: Promise<Ending | null>;
  /** Whether the interpreter was loaded. */
  started = false;
  /** Whether it started from a snapshot. */
  readonly restored: boolean;
  private readonly process: ChildProcessByStdio<Writable, Readable, null>;
  private readonly chunks: Buffer[] = [];
  private received = 0;
  private header: ReplyHeader | null = null;
  private ending: Ending | null = null;
  private settle: ((answer: Answer) => void) | null = null;
  private nextId = 1;
  private readonly killAtExit = (): void => void this.process.kill('SIGKILL');

  constructor() {
    const snapshot = findSnapshot();
    this.restored = snapshot !== null;
    this.process = start(snapshot);
    this.ready = new Promise((resolve) => {
      const timer = setTimeout(
        () => this.end({ kind: 'exit', reason: 'it did not start in time' }),
        bootTimeMs,
      );
      timer.unref();
      this.settle = (answer) => {
        clearTimeout(timer);
        this.hold(false);
        this.started = answer.kind === 'response';
        resolve(answer.kind === 'response' ? null : answer);
      };
    });
    this.process.stdout.on('data', (chunk: Buffer) => this.receive(chunk));
    this.process.stdin.on('error', () => undefined);
    this.process.on('error', (error) => this.end({ kind: 'exit', reason: error.message }));
    this.process.on('close', (code, signal) => {
      this.end({
        kind: 'exit',
        reason: signal === null ? `it exited with code ${code}` : `it ended by ${signal}`,
      });
    });
    process.once('exit', this.killAtExit);
    this.hold(false);
  }

  get alive(): boolean {
    return this.ending === null;
  }

  /** Sends one request and waits for its answer; one at a time. The process is ended when a limit is passed. */
  async ask(request: string, limits: Limits, signal?: AbortSignal): Promise<Answer> {
    this.hold(true);
    const abort = (): void => this.end({ kind: 'aborted' });
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const failed = await this.ready;
      if (failed !== null) return this.ending ?? failed;
      this.hold(true);
      return await this.exchange(request, limits);
    } finally {
      signal?.removeEventListener('abort', abort);
      this.hold(false);
    }
  }

  /** Ends the process; what waits for it gets `reason`. */
  end(reason: Ending): void {
    if (this.ending !== null) return;
    this.ending = reason;
    this.process.kill('SIGKILL');
    process.removeListener('exit', this.killAtExit);
    this.finish(reason);
  }

  private exchange(request: string, limits: Limits): Promise<Answer> {
    const id = this.nextId++;
    const message: WorkerRequest = { id, memoryLimitBytes: limits.memoryBytes, request };
    const timer = setTimeout(() => this.end({ kind: 'time' }), limits.timeMs);
    const poll = setInterval(() => {
      const bytes = this.process.pid === undefined ? 0 : residentBytes(this.process.pid);
      if (bytes > limits.memoryBytes) this.end({ kind: 'memory' });
    }, memoryPollMs);
    return new Promise((resolve) => {
      this.settle = (answer) => {
        clearTimeout(timer);
        clearInterval(poll);
        resolve(answer);
      };
      this.process.stdin.write(`${JSON.stringify(message)}\n`);
    });
  }

  private receive(chunk: Buffer): void {
    let start = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, start)) {
      this.chunks.push(chunk.subarray(start, at));
      start = at + 1;
      const line = Buffer.concat(this.chunks).toString('utf8');
      this.chunks.length = 0;
      this.received = 0;
      this.receiveLine(line);
    }
    this.chunks.push(chunk.subarray(start));
    this.received += chunk.length - start;
    if (this.received > replyLimitBytes) this.end({ kind: 'size' });
  }

  private receiveLine(line: string): void {
    if (this.header === null) {
      try {
        this.header = JSON.parse(line) as ReplyHeader;
      } catch {
        this.end({ kind: 'exit', reason: 'it answered with something else than JSON' });
      }
      return;
    }
    const header = this.header;
    this.header = null;
    // Only an interpreter that has not seen a model yet may say what later ones start from.
    if (header.kind === 'snapshot' && !this.started && !this.restored) keepSnapshot(line);
    else if (header.kind === 'ready') this.finish({ kind: 'response', text: '', memoryDenied: false });
    else if (header.kind === 'response') {
      this.finish({ kind: 'response', text: line, memoryDenied: header.memoryDenied === true });
    } else {
      const denied = header.kind === 'broken' && header.memoryDenied === true;
      const reason = 'reason' in header ? String(header.reason).slice(0, 300) : 'it answered out of turn';
      this.end(denied ? { kind: 'memory' } : { kind: 'exit', reason });
    }
  }

  private finish(answer: Answer): void {
    const settle = this.settle;
    this.settle = null;
    settle?.(answer);
  }

  /** Whether this process keeps its parent from exiting. */
  private hold(on: boolean): void {
    for (const handle of [
      this.process,
      this.process.stdin,
      this.process.stdout,
    ] as unknown as NodeJS.Timeout[]) {
      if (on) handle.ref();
      else handle.unref();
    }
  }
}
