import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { SafetensorsFile, WeightsError, writeSafetensors } from '../../extension/core/engine/safetensors.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-weights-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'x.safetensors');

const header = (entries: unknown, data = Buffer.alloc(16)): Buffer => {
  const json = Buffer.from(typeof entries === 'string' ? entries : JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
};
const floats = (bytes: Uint8Array): number[] => [...new Float32Array(bytes.slice().buffer)];

test('what is written is read back', () => {
  const values = Float32Array.of(1, -2.5, 3e-8, 4);
  writeSafetensors(file, [
    { name: 'a', storage: 'f32', shape: [2, 2], bytes: new Uint8Array(values.buffer) },
    { name: 'b', storage: 'i64', shape: [1], bytes: new Uint8Array(BigInt64Array.of(-7n).buffer) },
  ]);
  const stored = new SafetensorsFile(file);
  assert.deepEqual(floats(stored.read('a', 'f32')), [...values]);
  assert.deepEqual([...new BigInt64Array(stored.read('b', 'i64').slice().buffer)], [-7n]);
  assert.deepEqual(stored.tensors.get('a')!.shape, [2, 2]);
  assert.throws(() => stored.read('c', 'f32'), /no tensor "c"/);
  assert.throws(() => stored.read('b', 'f32'), /is I64 where the model has floating-point/);
  stored.close();
});

test('half, bfloat16 and double are converted, with their edges', () => {
  const half = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x7bff).buffer);
  writeFileSync(file, header({ h: { dtype: 'F16', shape: [5], data_offsets: [0, 10] } }, half));
  let stored = new SafetensorsFile(file);
  assert.deepEqual(floats(stored.read('h', 'f32')), [1, -2, 2 ** -24, Infinity, 65504]);
  stored.close();
  writeFileSync(
    file,
    header(
      { b: { dtype: 'BF16', shape: [2], data_offsets: [0, 4] } },
      Buffer.from(Uint16Array.of(0x3f80, 0xc0a0).buffer),
    ),
  );
  stored = new SafetensorsFile(file);
  assert.deepEqual(floats(stored.read('b', 'f32')), [1, -5]);
  stored.close();
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
      () => new SafetensorsFile(file),
      (error: Error) =>
        error instanceof WeightsError && /is not a valid .safetensors file: [^\n]+\.$/.test(error.message),
    );
  });
}

test('a published file is read', { skip: !existsSync('../shared/data') && 'no shared data' }, () => {
  const published = '../shared/data/gpt_nano_sort/gpt-nano-sort.safetensors';
  const stored = new SafetensorsFile(published);
  const [name] = [...stored.tensors.keys()];
  assert.ok(floats(stored.read(name!, 'f32')).every(Number.isFinite));
  stored.close();
  assert.ok(readFileSync(published).length > 1000);
});

test('folders and files of torch.save are named as such', () => {
  assert.throws(() => new SafetensorsFile(folder), /it is a folder\.$/);
  writeFileSync(file, Buffer.concat([Buffer.from('PK\u0003\u0004'), Buffer.alloc(40)]));
  assert.throws(() => new SafetensorsFile(file), /written by torch\.save/);
  assert.throws(() => new SafetensorsFile(`${file}.none`), /it does not exist/);
});
