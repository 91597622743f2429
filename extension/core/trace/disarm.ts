/**
 * What the tracer's process gives up before it starts Pyodide. Pyodide then finds no Node: it starts as it would in a
 * bare JavaScript shell, without host file systems, sockets, child processes or `require`. Together with
 * `--disallow-code-generation-from-strings` and the permission model, code that breaks out of Python and into
 * JavaScript finds nothing to call.
 */

/** Host objects that stay. The language's own (`Object`, `Promise`, ...) cannot reach outside. */
const kept = new Set([
  'TextDecoder',
  'TextEncoder',
  'URL',
  'WebAssembly',
  'clearTimeout',
  'setTimeout',
  'queueMicrotask',
]);

const language =
  'globalThis Infinity NaN undefined eval isFinite isNaN parseFloat parseInt decodeURI decodeURIComponent encodeURI ' +
  'encodeURIComponent escape unescape Object Function Boolean Symbol Error AggregateError EvalError RangeError ' +
  'ReferenceError SyntaxError TypeError URIError SuppressedError Number BigInt Math Date String RegExp Array ' +
  'Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array BigInt64Array ' +
  'BigUint64Array Float16Array Float32Array Float64Array Map Set WeakMap WeakSet WeakRef FinalizationRegistry ' +
  'ArrayBuffer SharedArrayBuffer DataView Atomics JSON Promise Proxy Reflect Iterator AsyncDisposableStack ' +
  'DisposableStack Intl';

const silent = (): void => undefined;

/** The functions Pyodide asks a JavaScript shell for. */
export interface Shell {
  /** Bytes of a shipped file, by the last part of its path; nothing else can be read. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Removes every host object from the global scope and leaves a shell that can read `files`. Call once. */
export function disarm(shell: Shell): void {
  const stay = new Set([...language.split(' '), ...kept]);
  const random = globalThis.crypto;
  const clock = globalThis.performance;
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!stay.has(name) && !Reflect.deleteProperty(globalThis, name)) {
      Object.defineProperty(globalThis, name, { value: undefined });
    }
  }
  const read = (path: string): ArrayBuffer => {
    const file = shell.files.get(path.slice(path.lastIndexOf('/') + 1));
    if (file === undefined) throw new Error('There is no such file.');
    return Uint8Array.from(file).buffer;
  };
  Object.assign(globalThis, {
    console: { log: silent, warn: silent, error: silent, info: silent, debug: silent },
    crypto: {
      getRandomValues: (view: Uint8Array<ArrayBuffer>) => {
        random.getRandomValues(view);
        return view;
      },
    },
    performance: { now: () => clock.now() },
    // Three names by which Pyodide recognises a shell, and one by which its runtime takes `crypto` for random bytes.
    read: silent,
    load: silent,
    readbuffer: read,
    WorkerGlobalScope: class {},
  });
}

const errors = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
];

/**
 * Once Pyodide runs, nothing may be read any more. Python can make one kind of JavaScript object, the error inside its
 * `JsException`: from there no constructor is to be reached, nor the frames of a stack.
 */
export function closeShell(): void {
  for (const name of ['read', 'load', 'readbuffer', 'WorkerGlobalScope'])
    Reflect.deleteProperty(globalThis, name);
  const gone = { value: undefined, writable: false, configurable: false };
  for (const { prototype } of [...errors, Function]) Object.defineProperty(prototype, 'constructor', gone);
  for (const name of ['prepareStackTrace', 'captureStackTrace']) Object.defineProperty(Error, name, gone);
}

/** Imports of the WebAssembly module that run JavaScript, load native code or start a program. */
const refusedImports =
  /^(emscripten_(async_)?(run_script|load_script)\w*|_?_?emscripten_system|_dlopen_js|_emscripten_dlopen_js|ffi_\w+|_dlsym_js)$/;

/**
 * Wraps `WebAssembly.instantiate` and memory growth: dangerous imports trap, and the heap never passes `limit()`
 * bytes. `onDenied` is called when growth was refused (Python then raises MemoryError).
 */
export function guardWebAssembly(limit: () => number, onDenied: () => void): void {
  const instantiate = WebAssembly.instantiate.bind(WebAssembly) as (
    source: BufferSource,
    imports?: WebAssembly.Imports,
  ) => Promise<WebAssembly.WebAssemblyInstantiatedSource>;
  const guarded = (source: BufferSource, imports?: WebAssembly.Imports) => {
    const env = imports?.['env'];
    for (const name of Object.keys(env ?? {})) {
      if (refusedImports.test(name)) {
        env![name] = () => {
          throw new Error('This is not available to model code.');
        };
      }
    }
    return instantiate(source, imports);
  };
  Object.defineProperty(WebAssembly, 'instantiate', { value: guarded });
  // Called with the memory it belongs to, below.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number): number {
    if (this.buffer.byteLength + pages * 65536 > limit()) {
      onDenied();
      throw new RangeError('The memory limit of the trace is reached.');
    }
    return grow.call(this, pages);
  };
}
