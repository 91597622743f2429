/** Removes built-in modules from CPython's own table, so that no import machinery can bring them back. */
import { Buffer } from 'node:buffer';
import type { PyodideInterface } from 'pyodide';

/** Modules that reach native code, JavaScript or the interpreter's memory. */
const removed = new Set(
  (
    '_ctypes _pyodide_core _posixsubprocess _remote_debugging _sqlite3 _testbuffer _testcapi _testclinic ' +
    '_testclinic_limited _testinternalcapi _testlimitedcapi _xxtestfuzz faulthandler mmap xxsubtype'
  ).split(' '),
);

interface Runtime {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  /** Address of the pointer to the table of `{char *name; PyObject *(*init)(void);}`, ended by a null name. */
  readonly _PyImport_Inittab: number;
  _malloc(bytes: number): number;
}

/** Renames the entries to a name no import can spell. The table is found in memory: CPython keeps copies of it. */
export function removeBuiltins(pyodide: PyodideInterface): void {
  const runtime = (pyodide as unknown as { _module: Runtime })._module;
  const unnameable = runtime._malloc(2);
  const { HEAPU8: bytes, HEAPU32: words } = runtime;
  bytes[unnameable] = 1;
  bytes[unnameable + 1] = 0;
  const text = (address: number): string => {
    const end = bytes.indexOf(0, address);
    return String.fromCharCode(...bytes.subarray(address, Math.min(end, address + 64)));
  };
  const table = words[runtime._PyImport_Inittab >>> 2]! >>> 2;
  const first = [words[table]!, words[table + 1]!, words[table + 2]!, words[table + 3]!];
  const copies: number[] = [];
  for (let at = words.indexOf(first[0]!); at >= 0; at = words.indexOf(first[0]!, at + 1)) {
    if (first.every((word, offset) => words[at + offset] === word)) copies.push(at);
  }
  let count = 0;
  for (const copy of copies) {
    for (let at = copy; words[at] !== 0; at += 2) {
      if (removed.has(text(words[at]!))) {
        words[at] = unnameable;
        count++;
      }
    }
  }
  // Modules that were loaded are also kept by name; under a broken name they are not found again.
  for (const name of removed) forget(bytes, `${name}:${name}\0`);
  if (count < removed.size)
    throw new Error('The sandbox could not be closed: this Pyodide is laid out differently.');
}

/** Breaks every occurrence of a string in memory. */
function forget(bytes: Uint8Array, key: string): void {
  const memory = Buffer.from(bytes.buffer);
  for (let at = memory.indexOf(key); at >= 0; at = memory.indexOf(key, at + 1)) bytes[at] = 1;
}
