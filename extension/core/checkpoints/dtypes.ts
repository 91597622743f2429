/** Element types of stored tensors: what files call them, how wide they are, and how they become what a model holds. */
import { FormatError } from './weightsError.js';

/** bytes; name in .safetensors; name of torch's typed storage; torch's dtype; numpy's type string without byte order. */
const TABLE = {
  f64: [8, 'F64', 'DoubleStorage', 'float64', 'f8'],
  f32: [4, 'F32', 'FloatStorage', 'float32', 'f4'],
  f16: [2, 'F16', 'HalfStorage', 'float16', 'f2'],
  bf16: [2, 'BF16', 'BFloat16Storage', 'bfloat16', null],
  i64: [8, 'I64', 'LongStorage', 'int64', 'i8'],
  i32: [4, 'I32', 'IntStorage', 'int32', 'i4'],
  i16: [2, 'I16', 'ShortStorage', 'int16', 'i2'],
  i8: [1, 'I8', 'CharStorage', 'int8', 'i1'],
  u8: [1, 'U8', 'ByteStorage', 'uint8', 'u1'],
  bool: [1, 'BOOL', 'BoolStorage', 'bool', 'b1'],
  u16: [2, 'U16', null, 'uint16', 'u2'],
  u32: [4, 'U32', null, 'uint32', 'u4'],
  u64: [8, 'U64', null, 'uint64', 'u8'],
  f8_e4m3: [1, 'F8_E4M3', null, 'float8_e4m3fn', null],
  f8_e5m2: [1, 'F8_E5M2', null, 'float8_e5m2', null],
  c64: [8, 'C64', 'ComplexFloatStorage', 'complex64', 'c8'],
  c128: [16, 'C128', 'ComplexDoubleStorage', 'complex128', 'c16'],
} as const;

export type Dtype = keyof typeof TABLE;
export const DTYPES = Object.keys(TABLE) as Dtype[];

/** Bytes per element. */
export const widthOf = (dtype: Dtype): number => TABLE[dtype][0];
/** As PyTorch says it: `float32`. */
export const torchName = (dtype: Dtype): string => TABLE[dtype][3];

const by = (column: 1 | 2 | 3 | 4): ReadonlyMap<string, Dtype> =>
  new Map(DTYPES.flatMap((dtype) => (TABLE[dtype][column] === null ? [] : [[TABLE[dtype][column], dtype]])));

export const SAFETENSORS_DTYPES = by(1);
/** `FloatStorage` to `f32`. */
export const STORAGE_DTYPES = by(2);
/** `float32` to `f32`; torch's short names too. */
export const TORCH_DTYPES: ReadonlyMap<string, Dtype> = new Map([
  ...by(3),
  ...([
    ['float', 'f32'],
    ['double', 'f64'],
    ['half', 'f16'],
    ['long', 'i64'],
    ['int', 'i32'],
    ['short', 'i16'],
  ] as const),
]);
export const NUMPY_DTYPES = by(4);

/** What a model's memory holds. */
export type Held = 'f32' | 'i64' | 'u8';
export const HELD_BYTES: Readonly<Record<Held, number>> = { f32: 4, i64: 8, u8: 1 };

/** Elements `[first, first + count)` of `bytes` (little-endian, from its own start), converted. */
type Convert = (bytes: Uint8Array, count: number) => Uint8Array;

const aligned = (bytes: Uint8Array, width: number): Uint8Array =>
  bytes.byteOffset % width === 0 ? bytes : bytes.slice();

/** A typed view of bytes; copies only what is not aligned. The machine is little-endian, as every one Node runs on. */
function view<T>(
  make: { new (buffer: ArrayBufferLike, byteOffset: number, length: number): T; BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
  count: number,
): T {
  const placed = aligned(bytes, make.BYTES_PER_ELEMENT);
  return new make(placed.buffer, placed.byteOffset, count);
}

const raw = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const same: Convert = (bytes) => bytes;

/** float32 bits of every 16-bit word, made when first used. */
function lookup(make: (word: number) => number, words: number): () => Uint32Array {
  let table: Uint32Array | null = null;
  return () => {
    if (table === null) {
      const values = Float32Array.from({ length: words }, (_, word) => make(word));
      table = new Uint32Array(values.buffer);
    }
    return table;
  };
}

/** A float of `exponentBits` and `fractionBits`, IEEE 754 style; e4m3fn has no infinities and one NaN pattern. */
function small(word: number, exponentBits: number, fractionBits: number, finite: boolean): number {
  const sign = word >> (exponentBits + fractionBits) === 0 ? 1 : -1;
  const exponent = (word >> fractionBits) & ((1 << exponentBits) - 1);
  const fraction = word & ((1 << fractionBits) - 1);
  const bias = (1 << (exponentBits - 1)) - 1;
  const top = exponent === (1 << exponentBits) - 1;
  if (top && finite && fraction === (1 << fractionBits) - 1) return NaN;
  if (top && !finite) return fraction === 0 ? sign * Infinity : NaN;
  const scale = 2 ** -fractionBits;
  return (
    sign *
    (exponent === 0 ? fraction * scale * 2 ** (1 - bias) : (1 + fraction * scale) * 2 ** (exponent - bias))
  );
}

const halves = lookup((word) => small(word, 5, 10, false), 1 << 16);
const e4m3 = lookup((word) => small(word, 4, 3, true), 1 << 8);
const e5m2 = lookup((word) => small(word, 5, 2, false), 1 << 8);

const FLOATS: Partial<Record<Dtype, Convert>> = {
  f32: same,
  f64: (bytes, count) => raw(Float32Array.from(view(Float64Array, bytes, count))),
  bf16: (bytes, count) => {
    const words = view(Uint16Array, bytes, count);
    const bits = new Uint32Array(count);
    for (let i = 0; i < count; i++) bits[i] = words[i]! << 16;
    return raw(bits);
  },
  f16: (bytes, count) => looked(view(Uint16Array, bytes, count), halves()),
  f8_e4m3: (bytes, count) => looked(bytes.subarray(0, count), e4m3()),
  f8_e5m2: (bytes, count) => looked(bytes.subarray(0, count), e5m2()),
};

function looked(words: Uint16Array | Uint8Array, table: Uint32Array): Uint8Array {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = table[words[i]!]!;
  return raw(bits);
}

const widened = (values: ArrayLike<number>): Uint8Array =>
  raw(BigInt64Array.from({ length: values.length }, (_, i) => BigInt(values[i]!)));

const INTEGERS: Partial<Record<Dtype, Convert>> = {
  i64: same,
  i32: (bytes, count) => widened(view(Int32Array, bytes, count)),
  i16: (bytes, count) => widened(view(Int16Array, bytes, count)),
  i8: (bytes, count) => widened(view(Int8Array, bytes, count)),
  u8: (bytes, count) => widened(bytes.subarray(0, count)),
  u16: (bytes, count) => widened(view(Uint16Array, bytes, count)),
  u32: (bytes, count) => widened(view(Uint32Array, bytes, count)),
};

const CONVERSIONS: Readonly<Record<Held, Partial<Record<Dtype, Convert>>>> = {
  f32: FLOATS,
  i64: INTEGERS,
  u8: { u8: same, bool: same, i8: same },
};

const HELD_WORDS: Readonly<Record<Held, string>> = {
  f32: 'floating-point numbers',
  i64: 'integers',
  u8: 'booleans or bytes',
};

/** How elements of a file become a model's; floats stay floats and integers integers. Throws {@link FormatError}. */
export function conversion(from: Dtype, to: Held): Convert {
  const convert = CONVERSIONS[to][from];
  if (convert === undefined)
    throw new FormatError(`it is ${torchName(from)} where the model has ${HELD_WORDS[to]}`);
  return convert;
}
