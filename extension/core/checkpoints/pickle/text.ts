/** Numbers and strings as pickles write them. */
import { FormatError } from '../weightsError.js';

/** Digits of an integer that is read; Python's own text protocol has no limit, and no checkpoint comes near. */
const MOST_DIGITS = 1000;
const MOST_LONG_BYTES = 1024;

/** A decimal integer: a number where it is exact, else a bigint. */
export function numberOf(text: string): number | bigint {
  const trimmed = text.trim();
  if (trimmed.length > MOST_DIGITS || !/^[+-]?\d+$/.test(trimmed))
    throw new FormatError('its pickle is damaged');
  return narrowed(BigInt(trimmed.replace(/^\+/, '')));
}

/** A little-endian two's complement integer of any length. */
export function longOf(bytes: Buffer): number | bigint {
  if (bytes.length > MOST_LONG_BYTES) throw new FormatError('its pickle is damaged');
  if (bytes.length === 0) return 0;
  const value = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  return narrowed(BigInt.asIntN(8 * bytes.length, value));
}

const narrowed = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** A quoted Python string, one character per byte. */
export function latin1Escapes(line: string): string {
  const text = line.trim();
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote)
    throw new FormatError('its pickle is damaged');
  return text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, letter: string) =>
      hex === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/** `raw-unicode-escape`: only \u and \U are escapes. */
export function unicodeEscapes(line: string): string {
  return line.replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g,
    (all, short: string | undefined, long: string) => {
      const point = Number.parseInt(short ?? long, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : all;
    },
  );
}
