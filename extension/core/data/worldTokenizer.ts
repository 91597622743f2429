/** RWKV World tokenizer: greedy longest match over bytes. Vocabulary lines are `ID PYTHON_LITERAL LENGTH`. */
import { readFileSync } from 'node:fs';
import { fileProblem } from '../fileProblem.js';
import { DataError } from './dataError.js';
import type { Tokenizer } from './tokenStream.js';

/** A node per prefix: children by byte, and the id of the token that ends here (-1: none). */
interface Branch {
  readonly children: Map<number, Branch>;
  id: number;
}

/** Reads a vocabulary file. Throws {@link DataError} naming the line that is wrong. */
export function worldTokenizer(file: string): Tokenizer {
  const root: Branch = { children: new Map(), id: -1 };
  const texts = new Map<number, Uint8Array>();
  let size = 0;
  const lines = readLines(file);
  lines.forEach((line, index) => {
    if (line === '') return;
    const match = /^(\d+) (.*) (\d+)$/.exec(line);
    const bytes = match === null ? null : literalBytes(match[2]!);
    if (match === null || bytes === null || bytes.length !== Number(match[3]))
      throw new DataError(
        `${file}:${index + 1} is not a line of an RWKV vocabulary (ID, literal, length in bytes).`,
      );
    let branch = root;
    for (const byte of bytes) {
      const next = branch.children.get(byte) ?? { children: new Map(), id: -1 };
      branch.children.set(byte, next);
      branch = next;
    }
    branch.id = Number(match[1]);
    texts.set(branch.id, bytes);
    size = Math.max(size, branch.id + 1);
  });
  if (size === 0) throw new DataError(`${file} holds no tokens.`);
  return {
    name: 'rwkv',
    size,
    encode: (bytes) => encode(root, bytes),
    decode: (id) => texts.get(id) ?? new Uint8Array(),
  };
}

function encode(root: Branch, bytes: Uint8Array): Int32Array {
  const ids: number[] = [];
  for (let start = 0; start < bytes.length;) {
    let branch: Branch | undefined = root;
    let id = -1;
    let end = start;
    for (let i = start; i < bytes.length; i++) {
      branch = branch.children.get(bytes[i]!);
      if (branch === undefined) break;
      if (branch.id >= 0) [id, end] = [branch.id, i + 1];
    }
    if (id < 0) throw new DataError(`Byte ${bytes[start]} of the text has no token in the RWKV vocabulary.`);
    ids.push(id);
    start = end;
  }
  return Int32Array.from(ids);
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.replace(/\r$/, ''));
  } catch (error) {
    throw new DataError(`${file} could not be read (${fileProblem(error)}).`);
  }
}

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  '\\': 92,
  "'": 39,
  '"': 34,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
  '0': 0,
};

/** Bytes of a Python `'str'` or `b'bytes'` literal; `null` when it is neither. */
function literalBytes(text: string): Uint8Array | null {
  const match = /^(b?)(['"])(.*)\2$/s.exec(text);
  if (match === null) return null;
  const raw = match[1] === 'b';
  const bytes: number[] = [];
  const body = match[3]!;
  for (let i = 0; i < body.length;) {
    const character = String.fromCodePoint(body.codePointAt(i)!);
    i += character.length;
    if (character !== '\\') {
      bytes.push(...Buffer.from(character));
      continue;
    }
    const kind = body[i++] ?? '';
    const digits = { x: 2, u: 4, U: 8 }[kind];
    if (digits !== undefined) {
      const code = Number.parseInt(body.slice(i, i + digits), 16);
      i += digits;
      if (Number.isNaN(code)) return null;
      if (raw) bytes.push(code);
      else bytes.push(...Buffer.from(String.fromCodePoint(code)));
    } else {
      const code = ESCAPES[kind];
      if (code === undefined) return null;
      bytes.push(code);
    }
  }
  return Uint8Array.from(bytes);
}
