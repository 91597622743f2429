/** Published small files of every element type and layout, against what torch read from them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { valuesOf } from './values.js';

const folder = path.join('..', 'shared', 'data', 'loader_fixtures', 'burn_pytorch');
const expectations = `${folder}.expected_torch1.13.json`;
const skip = existsSync(expectations) ? false : 'no ../shared/data/loader_fixtures here';

interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly values: readonly (number | string | boolean)[];
}

/** Tensors of a nested expectation, by dotted name; other leaves too. */
function flat(value: unknown, at: string, into: Map<string, unknown>): Map<string, unknown> {
  if (typeof value === 'object' && value !== null && !('dtype' in value))
    for (const [key, child] of Object.entries(value)) flat(child, at === '' ? key : `${at}.${key}`, into);
  else into.set(at, value);
  return into;
}

const number = (value: number | string | boolean): number =>
  typeof value === 'string' ? { nan: NaN, inf: Infinity, '-inf': -Infinity }[value]! : Number(value);

describe('checkpoints that torch reads', { skip }, () => {
  const expected =
    skip === false ? (JSON.parse(readFileSync(expectations, 'utf8')) as Record<string, object>) : {};

  it('are all in the list', () => {
    assert.deepEqual(Object.keys(expected).sort(), readdirSync(folder).sort());
  });

  for (const [name, contents] of Object.entries(expected)) {
    const refused = 'torch.load error' in contents;
    if (refused && !name.endsWith('.tar')) {
      it(`${name} is refused with one sentence`, () => {
        assert.throws(
          () => openCheckpoint(path.join(folder, name)),
          /cannot be read as a checkpoint: [^\n]+\.$/,
        );
      });
    } else if (!refused) {
      it(`${name} is read`, () => {
        const checkpoint = openCheckpoint(path.join(folder, name));
        const prefix = checkpoint.root === '' ? '' : `${checkpoint.root}.`;
        const tensors = new Map([...checkpoint.tensors].map(([key, tensor]) => [prefix + key, tensor]));
        for (const [key, leaf] of flat(contents, '', new Map())) {
          if (typeof leaf !== 'object' || leaf === null) {
            assert.equal(checkpoint.values.get(key), leaf, key);
            continue;
          }
          const { dtype, shape, stride, values } = leaf as Tensor;
          const tensor = tensors.get(key);
          assert.ok(tensor, `${key} is missing from ${[...tensors.keys()].join()}`);
          const found = valuesOf(tensor);
          assert.deepEqual(
            [`torch.${found.dtype}`, tensor.shape, tensor.strides],
            [dtype, shape, stride],
            key,
          );
          assert.deepEqual(found.values.slice(0, values.length), values.map(number), key);
          tensors.delete(key);
        }
        assert.deepEqual([...tensors.keys()], []);
        checkpoint.close();
      });
    }
  }

  // torch itself stops at these: they lack the members `tensors` and the list of views. Their values are in their names' bytes.
  const tars: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
    'tar_float32.tar': { tensor: [1, 2.5, Math.fround(-3.7), 0] },
    'tar_float64.tar': { tensor: [1.1, 2.2, 3.3] },
    'tar_int64.tar': { tensor: [100, -200, 300, 0] },
    'tar_2d_tensor.tar': { matrix: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] },
    'tar_weight_bias.tar': {
      weight: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6].map(Math.fround),
      bias: [0.01, 0.02].map(Math.fround),
    },
  };
  for (const [name, contents] of Object.entries(tars)) {
    it(`${name} is read`, () => {
      const checkpoint = openCheckpoint(path.join(folder, name));
      const found = Object.fromEntries(
        [...checkpoint.tensors].map(([key, tensor]) => [key, valuesOf(tensor).values]),
      );
      assert.deepEqual(found, contents);
      checkpoint.close();
    });
  }
});
