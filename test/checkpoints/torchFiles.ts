/** Reads a folder of checkpoints that PyTorch wrote (fixtures/checkpoints/make.py) and compares them with what is in them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { valuesOf } from './values.js';

interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** As Python writes numbers. */
  readonly values: readonly string[];
}
export type Expected = Readonly<Record<string, Readonly<Record<string, Tensor>>>>;

export const expectedOf = (folder: string): Expected =>
  JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Expected;

const number = (text: string): number => Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'));

export function compareFile(file: string, expected: Expected[string]): void {
  const checkpoint = openCheckpoint(file);
  const prefix = checkpoint.root === '' ? '' : `${checkpoint.root}.`;
  const tensors = new Map(checkpoint.others);
  for (const [name, tensor] of checkpoint.tensors) tensors.set(prefix + name, tensor);
  assert.deepEqual([...tensors.keys()].sort(), Object.keys(expected).sort());
  for (const [name, { dtype, shape, strides, values }] of Object.entries(expected)) {
    const tensor = tensors.get(name)!;
    const found = valuesOf(tensor);
    assert.deepEqual([found.dtype, tensor.shape, tensor.strides], [dtype, shape, strides], name);
    assert.deepEqual(found.values, values.map(number), name);
  }
  checkpoint.close();
}
