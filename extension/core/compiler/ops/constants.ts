/** Reads the bytes of a `constant` node. */
import type { TensorType } from '../graph.js';
import { elementCount } from '../shapes.js';

/** Little-endian elements of the given type as numbers; throws when the bytes do not have its length. */
export function readConstant(bytes: Uint8Array, type: TensorType): Float64Array {
  const count = elementCount(type.shape);
  const out = new Float64Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = ELEMENT_BYTES[type.dtype];
  if (bytes.byteLength !== count * size)
    throw new Error(`a constant of ${count} ${type.dtype} elements has ${bytes.byteLength} bytes`);
  for (let i = 0; i < count; i++) {
    const at = i * size;
    switch (type.dtype) {
      case 'f32':
        out[i] = view.getFloat32(at, true);
        break;
      case 'f64':
        out[i] = view.getFloat64(at, true);
        break;
      case 'bf16':
        out[i] = new Float32Array(new Uint32Array([view.getUint16(at, true) << 16]).buffer)[0]!;
        break;
      case 'f16':
        out[i] = halfToNumber(view.getUint16(at, true));
        break;
      case 'i64':
        out[i] = Number(view.getBigInt64(at, true));
        break;
      case 'i32':
        out[i] = view.getInt32(at, true);
        break;
      case 'i16':
        out[i] = view.getInt16(at, true);
        break;
      case 'i8':
        out[i] = view.getInt8(at);
        break;
      case 'u8':
      case 'bool':
        out[i] = view.getUint8(at);
        break;
    }
  }
  return out;
}

export const ELEMENT_BYTES = {
  f32: 4,
  f64: 8,
  bf16: 2,
  f16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
} as const;

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
