import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { writeSafetensors } from '../../extension/core/checkpoints/safetensors.js';
import { tensorBytes } from '../../extension/core/checkpoints/storedTensor.js';
import { WeightsError } from '../../extension/core/checkpoints/weightsError.js';
import { valuesOf } from './values.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-weights-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'x.safetensors');

const header = (entries: unknown, data = Buffer.alloc(16)): Buffer => {
  const json = Buffer.from(typeof entries === 'string' ? entries : JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
};
const values = (name: string): number[] => {
  const checkpoint = openCheckpoint(file);
  try {
    return valuesOf(checkpoint.tensors.get(name)!).values;
  } finally {
    checkpoint.close();
  }
};

test('what is written is read back', () => {
  const written = Float32Array.of(1, -2.5, 3e-8, 4);
  writeSafetensors(file, [
    { name: 'a', storage: 'f32', shape: [2, 2], bytes: new Uint8Array(written.buffer) },
    { name: 'b', storage: 'i64', shape: [1], bytes: new Uint8Array(BigInt64Array.of(-7n).buffer) },
  ]);
  assert.deepEqual(values('a'), [...written]);
  assert.deepEqual(values('b'), [-7]);
  const checkpoint = openCheckpoint(file);
  assert.deepEqual([checkpoint.format, checkpoint.tensors.get('a')!.shape], ['safetensors', [2, 2]]);
  const integers = checkpoint.tensors.get('b')!;
  assert.throws(() => tensorBytes(integers, 'f32'), /it is int64 where the model has floating-point/);
  checkpoint.close();
});

test('half, bfloat16 and 8-bit floats are converted, with their edges', () => {
  const one = (dtype: string, words: Uint16Array | Uint8Array): void =>
    writeFileSync(
      file,
      header(
        { x: { dtype, shape: [words.length], data_offsets: [0, words.byteLength] } },
        Buffer.from(words.buffer as ArrayBuffer),
      ),
    );
  one('F16', Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x7bff, 0x7e00));
  assert.deepEqual(values('x'), [1, -2, 2 ** -24, Infinity, 65504, NaN]);
  one('BF16', Uint16Array.of(0x3f80, 0xc0a0));
  assert.deepEqual(values('x'), [1, -5]);
  one('F8_E4M3', Uint8Array.of(0x38, 0x7e, 0x7f, 0x01));
  assert.deepEqual(values('x'), [1, 448, NaN, 2 ** -9]);
  one('F8_E5M2', Uint8Array.of(0xbc, 0x7b, 0x7c, 0x01));
  assert.deepEqual(values('x'), [-1, 57344, Infinity, 2 ** -16]);
});

const hostile: readonly (readonly [string, Buffer])[] = [
  ['an empty file', Buffer.alloc(0)],
  [
    'a header longer than the file',
    Buffer.concat([Buffer.from(BigUint64Array.of(2n ** 63n).buffer), Buffer.alloc(8)]),
  ],
  ['a header that is not JSON', header('{"a":')],
  ['a header that is a list', header([])],
  ['a tensor outside the file', header({ a: { dtype: 'F32', shape: [100], data_offsets: [0, 400] } })],
  ['offsets that run backwards', header({ a: { dtype: 'F32', shape: [4], data_offsets: [16, 0] } })],
  ['offsets below zero', header({ a: { dtype: 'F32', shape: [4], data_offsets: [-16, 0] } })],
  ['a shape that does not fit', header({ a: { dtype: 'F32', shape: [5], data_offsets: [0, 16] } })],
  ['a shape of fractions', header({ a: { dtype: 'F32', shape: [0.5], data_offsets: [0, 2] } })],
  [
    'a shape that overflows',
    header({ a: { dtype: 'F32', shape: [2 ** 52, 2 ** 52], data_offsets: [0, 16] } }),
  ],
  ['an unknown type', header({ a: { dtype: 'Q4', shape: [4], data_offsets: [0, 2] } })],
  ['a type named after a method', header({ a: { dtype: 'toString', shape: [4], data_offsets: [0, 16] } })],
  ['an entry that is null', header({ a: null })],
];

for (const [name, bytes] of hostile) {
  test(`refused with one sentence: ${name}`, () => {
    writeFileSync(file, bytes);
    assert.throws(
      () => openCheckpoint(file),
      (error: Error) =>
        error instanceof WeightsError && /cannot be read as a checkpoint: [^\n]+\.$/.test(error.message),
    );
  });
}

test('files that are something else are named', () => {
  const named = (start: string, why: RegExp): void => {
    writeFileSync(file, Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(600)]));
    assert.throws(() => openCheckpoint(file), why);
  };
  assert.throws(() => openCheckpoint(folder), /it is a folder without a checkpoint/);
  assert.throws(() => openCheckpoint(`${file}.none`), /it does not exist\.$/);
  named('PK\u0003\u0004', /a zip archive without its end/);
  named('version https://git-lfs.github.com/spec/v1', /run git lfs pull/);
  named('GGUF', /it is a GGUF file/);
  named('<!DOCTYPE html>', /it is a web page/);
});

test('shards are read through their index, and only from beside it', () => {
  const shard = (name: string, key: string, value: number): void =>
    writeSafetensors(path.join(folder, name), [
      { name: key, storage: 'f32', shape: [1], bytes: new Uint8Array(Float32Array.of(value).buffer) },
    ]);
  shard('model-1.safetensors', 'a', 1);
  shard('model-2.safetensors', 'b', 2);
  const index = path.join(folder, 'model.safetensors.index.json');
  const map = (weights: unknown): void => writeFileSync(index, JSON.stringify({ weight_map: weights }));
  map({ a: 'model-1.safetensors', b: 'model-2.safetensors' });
  for (const name of [index, folder]) {
    const checkpoint = openCheckpoint(name);
    const found = [...checkpoint.tensors].map(([key, tensor]) => [key, valuesOf(tensor).values[0]]);
    assert.deepEqual(found, [
      ['a', 1],
      ['b', 2],
    ]);
    checkpoint.close();
  }
  map({ a: '../model-1.safetensors' });
  assert.throws(() => openCheckpoint(index), /names a file that is not beside it/);
  map({ a: 'model-3.safetensors' });
  assert.throws(
    () => openCheckpoint(index),
    /model-3\.safetensors cannot be read as a checkpoint: it does not exist/,
  );
  map(null);
  assert.throws(() => openCheckpoint(index), /no weight_map/);
});
