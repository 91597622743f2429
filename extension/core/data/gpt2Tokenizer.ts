/** GPT-2's byte-pair encoding (Radford et al. 2019): words by a pattern, bytes as printable characters, merges by rank. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileProblem } from '../fileProblem.js';
import { DataError } from './dataError.js';
import type { Tokenizer } from './tokenStream.js';

const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * Reads `encoder.json` (token -> id) and the merges beside it (`vocab.bpe` or `merges.txt`, under any prefix).
 * Throws {@link DataError} naming the file.
 */
export function gpt2Tokenizer(encoderFile: string): Tokenizer {
  const ids = readEncoder(encoderFile);
  const ranks = readMerges(encoderFile);
  const characters = byteCharacters();
  const bytes = new Map(characters.map((character, byte) => [character, byte]));
  const pieces = new Map([...ids].map(([piece, id]) => [id, piece]));
  const cache = new Map<string, readonly number[]>();
  const encodeWord = (word: string): readonly number[] => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const merged = merge(
      Array.from(Buffer.from(word), (byte) => characters[byte]!),
      ranks,
    );
    const encoded = merged.map((piece) => {
      const id = ids.get(piece);
      if (id === undefined)
        throw new DataError(`${encoderFile} has no token "${piece}": it does not belong to these merges.`);
      return id;
    });
    if (cache.size < 200_000) cache.set(word, encoded);
    return encoded;
  };
  return {
    name: 'gpt2',
    size: Math.max(...ids.values()) + 1,
    encode: (text) => {
      const found: number[] = [];
      for (const [word] of Buffer.from(text).toString('utf8').matchAll(WORDS))
        found.push(...encodeWord(word));
      return Int32Array.from(found);
    },
    // A special token is written in characters that stand for no bytes.
    decode: (id) =>
      Uint8Array.from([...(pieces.get(id) ?? '')].flatMap((character) => bytes.get(character) ?? [])),
  };
}

/** Joins the neighbours of lowest rank until none is left. */
function merge(pieces: string[], ranks: ReadonlyMap<string, number>): string[] {
  for (;;) {
    let best = Infinity;
    for (let i = 1; i < pieces.length; i++)
      best = Math.min(best, ranks.get(`${pieces[i - 1]} ${pieces[i]}`) ?? Infinity);
    if (best === Infinity) return pieces;
    const joined: string[] = [];
    for (let i = 0; i < pieces.length; i++) {
      const pair = i + 1 < pieces.length && ranks.get(`${pieces[i]} ${pieces[i + 1]}`) === best;
      joined.push(pair ? pieces[i]! + pieces[++i]! : pieces[i]!);
    }
    pieces = joined;
  }
}

/** Printable characters for all bytes: printable Latin-1 stands for itself, the rest for 256, 257, ... */
function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

function readEncoder(file: string): Map<string, number> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new DataError(`${file} could not be read as a GPT-2 vocabulary (${fileProblem(error)}).`);
  }
  const entries = Object.entries(typeof value === 'object' && value !== null ? value : {});
  if (entries.length === 0 || entries.some(([, id]) => !Number.isInteger(id)))
    throw new DataError(`${file} is not a GPT-2 vocabulary: it must map tokens to ids.`);
  return new Map(entries as [string, number][]);
}

function readMerges(encoderFile: string): Map<string, number> {
  const { dir, base } = path.parse(encoderFile);
  const candidates = [
    base.replace('encoder.json', 'vocab.bpe'),
    base.replace('vocab.json', 'merges.txt'),
    'vocab.bpe',
    'merges.txt',
  ];
  for (const candidate of candidates) {
    if (candidate === base) continue;
    let text: string;
    try {
      text = readFileSync(path.join(dir, candidate), 'utf8');
    } catch {
      continue;
    }
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#version'));
    return new Map(lines.map((line, rank) => [line, rank]));
  }
  throw new DataError(`The merges of ${encoderFile} are missing: put vocab.bpe or merges.txt beside it.`);
}
