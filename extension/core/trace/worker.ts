/**
 * Entry of the locked-down process. It holds one Python interpreter with our `torch`, reads requests from its standard
 * input (one line of JSON each) and answers each with two lines: a {@link ReplyHeader}, then the response of
 * `crossover_trace.trace` as it came, or an empty line.
 *
 * Arguments: the folder of the Python sources, the folder of Pyodide, and optionally a snapshot of the interpreter's
 * memory to start from. Without one it makes one, and sends it before it is ready.
 */
import { readFileSync, readdirSync, writeSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { removeBuiltins } from './builtins.js';
import { closeShell, disarm, guardWebAssembly } from './disarm.js';
import type { ReplyHeader, WorkerRequest } from './protocol.js';

const host = process;
const pythonFolder = host.argv[2]!;
const pyodideFolder = host.argv[3]!;
const snapshotFile = host.argv[4];
const shimFolder = '/crossover';

/** Bytes the interpreter's memory may take; set by each request. */
let memoryLimit = 4 * 2 ** 30;
let memoryDenied = false;

function pythonSources(): Map<string, string> {
  const sources = new Map<string, string>();
  for (const name of readdirSync(pythonFolder, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.py')) {
      sources.set(name.split(path.sep).join('/'), readFileSync(path.join(pythonFolder, name), 'utf8'));
    }
  }
  return sources;
}

/** What is used of Emscripten's in-memory file system. */
interface FileSystem {
  readdir(folder: string): string[];
  stat(file: string): { mode: number };
  isDir(mode: number): boolean;
  chmod(file: string, mode: number): void;
  mkdirTree(folder: string): void;
  writeFile(file: string, text: string): void;
}

/** Model code may read Python's own files and write none. */
function makeReadOnly(files: FileSystem, folder: string): void {
  for (const name of files.readdir(folder)) {
    if (name === '.' || name === '..' || name === 'dev' || name === 'proc') continue;
    const child = folder === '/' ? `/${name}` : `${folder}/${name}`;
    if (files.isDir(files.stat(child).mode)) makeReadOnly(files, child);
    else files.chmod(child, 0o444);
  }
  files.chmod(folder, 0o555);
}

const encoder = new TextEncoder();
// Taken before Node's globals are removed.
const { Buffer: NodeBuffer } = globalThis;

function base64(bytes: Uint8Array): string {
  return NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

type TraceFunction = (request: string) => string;

async function boot(): Promise<TraceFunction> {
  const packages = JSON.parse(readFileSync(path.join(pyodideFolder, 'pyodide-lock.json'), 'utf8')) as {
    info: object;
  };
  const shipped = ['pyodide.asm.wasm', 'python_stdlib.zip'];
  const files = new Map(shipped.map((name) => [name, readFileSync(path.join(pyodideFolder, name))]));
  const sources = pythonSources();
  const snapshot = snapshotFile === undefined ? undefined : readFileSync(snapshotFile);
  disarm({ files });
  guardWebAssembly(
    () => memoryLimit,
    () => (memoryDenied = true),
  );
  const module = (await import(
    pathToFileURL(path.join(pyodideFolder, 'pyodide.mjs')).href
  )) as typeof import('pyodide');
  const pyodide = await module.loadPyodide({
    ...(snapshot === undefined ? { _makeSnapshot: true } : { _loadSnapshot: snapshot }),
    indexURL: pathToFileURL(pyodideFolder).href,
    jsglobals: Object.create(null) as object,
    lockFileContents: JSON.stringify({ info: packages.info, packages: {} }),
    packageBaseUrl: 'file:///none/',
    env: { HOME: '/' },
    stdin: () => null,
    stdout: () => undefined,
    stderr: () => undefined,
  });
  closeShell();
  const memory = pyodide.FS as FileSystem;
  for (const [name, text] of sources) {
    const file = `${shimFolder}/${name}`;
    memory.mkdirTree(path.posix.dirname(file));
    memory.writeFile(file, text);
  }
  makeReadOnly(memory, '/');
  pyodide.runPython(`import sys; sys.path.insert(0, ${JSON.stringify(shimFolder)})`);
  pyodide.runPython('import crossover_trace, crossover_lockdown');
  if (snapshot === undefined) reply({ kind: 'snapshot' }, base64(pyodide.makeMemorySnapshot()));
  const trace = pyodide.runPython('from crossover_trace import trace; trace') as TraceFunction;
  const lock = pyodide.runPython('from crossover_lockdown import lock; lock') as () => void;
  removeBuiltins(pyodide);
  // A call, not runPython: what runs Python text is among what is locked away.
  lock();
  return trace;
}

function reply(header: ReplyHeader, response = ''): void {
  // A line of JSON holds no raw line break; a response that does is not JSON, and the parent says so.
  let rest = encoder.encode(`${JSON.stringify(header)}\n${response.replaceAll('\n', ' ')}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const lines = error.message.trim().split('\n');
  return `${error.name}: ${lines.at(-1)}`.slice(0, 300);
}

try {
  const input = host.stdin;
  const lines = createInterface({ input, crlfDelay: Infinity });
  input.once('end', () => host.exit(0));
  const trace = await boot();
  reply({ kind: 'ready' });
  for await (const line of lines) {
    const { id, memoryLimitBytes, request } = JSON.parse(line) as WorkerRequest;
    memoryLimit = memoryLimitBytes;
    memoryDenied = false;
    let response: string;
    try {
      response = trace(request);
    } catch (error) {
      // The interpreter itself failed (exit, abort, stack overflow, out of memory): it cannot be used again.
      reply({ kind: 'broken', id, memoryDenied, reason: describe(error) });
      break;
    }
    reply({ kind: 'response', id, memoryDenied }, typeof response === 'string' ? response : '');
  }
  host.exit(0);
} catch (error) {
  reply({ kind: 'failed', reason: describe(error) });
  host.exit(1);
}
