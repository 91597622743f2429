/**
 * Reads pickles (protocols 0 to 5, Python's Lib/pickletools.py) as data. A pickle is a program for a small stack machine
 * that may name any function and call it; this machine calls nothing: a few names that build tensors and containers have
 * a meaning of ours (callables.ts), and every other object stays a placeholder with its name.
 */
import { FormatError } from '../weightsError.js';
import { type Builder, construct, refuseDangerous } from './callables.js';
import type { PickleInput } from './input.js';
import { latin1Escapes, longOf, numberOf, unicodeEscapes } from './text.js';
import {
  PyBytes,
  PyDict,
  PyGlobal,
  PyList,
  PyNumpyDtype,
  PyOpaque,
  PySet,
  PyTensor,
  PyTuple,
  type PyValue,
} from './values.js';

const DAMAGED = 'its pickle is damaged';
const NEWEST_PROTOCOL = 5;
const LONGEST_NAME = 1000;

export class Unpickler {
  #stack: PyValue[] = [];
  /** Heights of the stack where a MARK stands. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PyValue>();

  constructor(
    readonly input: PickleInput,
    readonly builder: Builder,
  ) {}

  /** Reads up to the end of one pickle; the input then stands behind it. Throws {@link FormatError}. */
  load(): PyValue {
    for (;;) {
      this.builder.budget.operations(1);
      const code = this.input.byte();
      if (code === STOP) return this.#pop();
      const operation = OPERATIONS[code];
      if (operation === undefined) throw new FormatError(DAMAGED);
      operation(this);
    }
  }

  push(value: PyValue): void {
    this.#stack.push(value);
  }

  #pop(): PyValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new FormatError(DAMAGED);
    return this.#stack.pop()!;
  }

  pop = (): PyValue => this.#pop();

  top(): PyValue {
    if (this.#stack.length === 0) throw new FormatError(DAMAGED);
    return this.#stack.at(-1)!;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** Everything above the last MARK, which goes away. */
  popMark(): PyValue[] {
    const height = this.#marks.pop();
    if (height === undefined) throw new FormatError(DAMAGED);
    return this.#stack.splice(height);
  }

  /** POP takes a MARK too. */
  discard(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.#pop();
  }

  put(index: number): void {
    this.#memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.#memo.size);
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw new FormatError(DAMAGED);
    this.push(value);
  }

  text(length: number, encoding: 'utf8' | 'latin1'): void {
    this.builder.budget.text(length);
    this.push(this.input.bytes(length).toString(encoding));
  }

  global(module: PyValue, name: PyValue): PyGlobal {
    if (typeof module !== 'string' || typeof name !== 'string' || module.length + name.length > LONGEST_NAME)
      throw new FormatError(DAMAGED);
    const found = new PyGlobal(MODULES.get(module) ?? module, name);
    refuseDangerous(found);
    return found;
  }

  /** What calling or instantiating a name gives. */
  call(callee: PyValue, args: PyValue): void {
    if (!(args instanceof PyTuple)) throw new FormatError(DAMAGED);
    this.push(construct(this.builder, callee, args.items));
  }

  /** `append` and `extend` on what stands on the stack. */
  append(items: readonly PyValue[]): void {
    const target = this.top();
    const list = target instanceof PyOpaque ? target.list : target;
    if (!(list instanceof PyList || list instanceof PySet)) throw new FormatError(DAMAGED);
    for (const item of items) list.items.push(item);
  }

  /** Keys and values in turn. */
  setItems(items: readonly PyValue[]): void {
    const target = this.top();
    const dict = target instanceof PyOpaque ? target.dict : target;
    if (!(dict instanceof PyDict) || items.length % 2 !== 0) throw new FormatError(DAMAGED);
    for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  }

  /** `__setstate__`: kept for placeholders and numpy; attributes of plain containers are not needed. */
  build(): void {
    const state = this.#pop();
    const target = this.top();
    if (target instanceof PyOpaque) target.state = state;
    else if (target instanceof PyNumpyDtype)
      target.bigEndian = state instanceof PyTuple && state.items[1] === '>';
    else if (target instanceof PyTensor && target.tensor === null) this.builder.fillArray(target, state);
  }
}

const STOP = 0x2e;

/** Names of Python 2. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['copy_reg', 'copyreg'],
  ['UserDict', 'collections'],
]);

const dictOf = (items: readonly PyValue[]): PyDict => {
  if (items.length % 2 !== 0) throw new FormatError(DAMAGED);
  const dict = new PyDict();
  for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  return dict;
};
const listOf = (items: readonly PyValue[]): PyList => {
  const list = new PyList();
  for (const item of items) list.items.push(item);
  return list;
};
const setOf = (items: readonly PyValue[]): PySet => {
  const set = new PySet();
  for (const item of items) set.items.push(item);
  return set;
};
const u8 = (machine: Unpickler): number => machine.input.byte();
const u16 = (machine: Unpickler): number => machine.input.bytes(2).readUInt16LE(0);
const u32 = (machine: Unpickler): number => machine.input.bytes(4).readUInt32LE(0);
const i32 = (machine: Unpickler): number => machine.input.bytes(4).readInt32LE(0);
const tupleOf = (count: number) => (machine: Unpickler) => {
  const items = Array.from({ length: count }, machine.pop).reverse();
  machine.push(new PyTuple(items));
};
const constant = (value: PyValue) => (machine: Unpickler) => machine.push(value);
const refuse = (why: string) => (): never => {
  throw new FormatError(why);
};
const index = (line: string): number => {
  if (!/^\d{1,15}$/.test(line)) throw new FormatError(DAMAGED);
  return Number(line);
};

type Operation = (machine: Unpickler) => void;

/** By opcode; a letter is the opcode's own character. */
const NAMED: Readonly<Record<string, Operation>> = {
  '0': (m) => m.discard(),
  '1': (m) => void m.popMark(),
  '2': (m) => m.push(m.top()),
  '(': (m) => m.mark(),
  N: constant(null),
  // Python 2 writes booleans as the integers 00 and 01.
  I: (m) => {
    const line = m.input.line();
    m.push(line === '00' ? false : line === '01' ? true : numberOf(line));
  },
  J: (m) => m.push(i32(m)),
  K: (m) => m.push(u8(m)),
  M: (m) => m.push(u16(m)),
  L: (m) => m.push(numberOf(m.input.line().replace(/L$/, ''))),
  F: (m) => m.push(Number(m.input.line())),
  G: (m) => m.push(m.input.bytes(8).readDoubleBE(0)),
  S: (m) => m.push(latin1Escapes(m.input.line())),
  T: (m) => m.text(u32(m), 'latin1'),
  U: (m) => m.text(u8(m), 'latin1'),
  V: (m) => m.push(unicodeEscapes(m.input.line())),
  X: (m) => m.text(u32(m), 'utf8'),
  B: (m) => m.push(new PyBytes(m.input.range(u32(m)))),
  C: (m) => m.push(new PyBytes(m.input.range(u8(m)))),
  ')': (m) => m.push(new PyTuple([])),
  t: (m) => m.push(new PyTuple(m.popMark())),
  ']': (m) => m.push(new PyList()),
  l: (m) => m.push(listOf(m.popMark())),
  a: (m) => {
    const item = m.pop();
    m.append([item]);
  },
  e: (m) => {
    const items = m.popMark();
    m.append(items);
  },
  '}': (m) => m.push(new PyDict()),
  d: (m) => m.push(dictOf(m.popMark())),
  s: (m) => {
    const value = m.pop();
    const key = m.pop();
    m.setItems([key, value]);
  },
  u: (m) => {
    const items = m.popMark();
    m.setItems(items);
  },
  c: (m) => {
    const module = m.input.line();
    m.push(m.global(module, m.input.line()));
  },
  R: (m) => {
    const args = m.pop();
    m.call(m.pop(), args);
  },
  b: (m) => m.build(),
  i: (m) => {
    const module = m.input.line();
    const callee = m.global(module, m.input.line());
    m.call(callee, new PyTuple(m.popMark()));
  },
  o: (m) => {
    const [callee, ...args] = m.popMark();
    m.call(callee ?? null, new PyTuple(args));
  },
  P: (m) => m.push(m.builder.persistent(m.input.line())),
  Q: (m) => m.push(m.builder.persistent(m.pop())),
  p: (m) => m.put(index(m.input.line())),
  q: (m) => m.put(u8(m)),
  r: (m) => m.put(u32(m)),
  g: (m) => m.get(index(m.input.line())),
  h: (m) => m.get(u8(m)),
  j: (m) => m.get(u32(m)),
  '\x80': (m) => {
    if (u8(m) > NEWEST_PROTOCOL) throw new FormatError('its pickle is of a protocol newer than 5');
  },
  '\x81': (m) => {
    const args = m.pop();
    m.call(m.pop(), args);
  },
  '\x82': refuse('its pickle uses the extension registry, which checkpoints do not'),
  '\x83': refuse('its pickle uses the extension registry, which checkpoints do not'),
  '\x84': refuse('its pickle uses the extension registry, which checkpoints do not'),
  '\x85': tupleOf(1),
  '\x86': tupleOf(2),
  '\x87': tupleOf(3),
  '\x88': constant(true),
  '\x89': constant(false),
  '\x8a': (m) => m.push(longOf(m.input.bytes(u8(m)))),
  '\x8b': (m) => m.push(longOf(m.input.bytes(u32(m)))),
  '\x8c': (m) => m.text(u8(m), 'utf8'),
  '\x8d': (m) => m.text(m.input.length64(), 'utf8'),
  '\x8e': (m) => m.push(new PyBytes(m.input.range(m.input.length64()))),
  '\x8f': (m) => m.push(new PySet()),
  '\x90': (m) => {
    const items = m.popMark();
    m.append(items);
  },
  '\x91': (m) => m.push(setOf(m.popMark())),
  '\x92': (m) => {
    m.pop();
    const args = m.pop();
    m.call(m.pop(), args);
  },
  '\x93': (m) => {
    const name = m.pop();
    m.push(m.global(m.pop(), name));
  },
  '\x94': (m) => m.memoize(),
  // A frame's length only helps to read ahead.
  '\x95': (m) => void m.input.bytes(8),
  '\x96': (m) => m.push(new PyBytes(m.input.range(m.input.length64()))),
  '\x97': refuse('its pickle keeps data outside itself'),
  '\x98': refuse('its pickle keeps data outside itself'),
};

const OPERATIONS: (Operation | undefined)[] = Array.from(
  { length: 256 },
  (_, code) => NAMED[String.fromCharCode(code)],
);
