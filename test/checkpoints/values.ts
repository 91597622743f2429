/** A tensor's numbers, for comparing. */
import { bytesOf } from '../../extension/core/checkpoints/byteSource.js';
import { type Dtype, torchName } from '../../extension/core/checkpoints/dtypes.js';
import { elementsOf, type StoredTensor, tensorBytes } from '../../extension/core/checkpoints/storedTensor.js';

/** As PyTorch's `flatten().tolist()`; doubles exactly, complex numbers as pairs. */
export function valuesOf(tensor: StoredTensor): { dtype: string; values: number[] } {
  return { dtype: torchName(tensor.dtype), values: numbers(tensor) };
}

const floating: readonly Dtype[] = ['f32', 'f16', 'bf16', 'f8_e4m3', 'f8_e5m2'];

function numbers(tensor: StoredTensor): number[] {
  if (floating.includes(tensor.dtype)) return [...new Float32Array(tensorBytes(tensor, 'f32').buffer)];
  if (tensor.dtype === 'bool') return [...tensorBytes(tensor, 'u8')];
  if (tensor.dtype === 'f64') return elementwise(tensor, 8, (bytes) => [bytes.readDoubleLE(0)]);
  if (tensor.dtype === 'u64') return elementwise(tensor, 8, (bytes) => [Number(bytes.readBigUInt64LE(0))]);
  if (tensor.dtype === 'c64')
    return elementwise(tensor, 8, (bytes) => [bytes.readFloatLE(0), bytes.readFloatLE(4)]);
  if (tensor.dtype === 'c128')
    return elementwise(tensor, 16, (bytes) => [bytes.readDoubleLE(0), bytes.readDoubleLE(8)]);
  return [...new BigInt64Array(tensorBytes(tensor, 'i64').buffer)].map(Number);
}

function elementwise(
  { shape, strides, offset, storage }: StoredTensor,
  width: number,
  read: (bytes: Buffer) => number[],
): number[] {
  const count = elementsOf(shape);
  return Array.from({ length: count }, (_, flat) => {
    let rest = flat;
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return read(Buffer.from(bytesOf(storage.open(), at * width, width)));
  }).flat();
}
