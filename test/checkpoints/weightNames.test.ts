import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeightNames } from '../../extension/core/checkpoints/weightNames.js';

test('a tied tensor is found under any of its names, and all of them count as used', () => {
  assert.equal(new WeightNames(['wte.weight']).take(['wte.weight', 'lm_head.weight'])[0], 'wte.weight');
  assert.equal(
    new WeightNames(['lm_head.weight']).take(['wte.weight', 'lm_head.weight'])[0],
    'lm_head.weight',
  );
  const both = new WeightNames(['lm_head.weight', 'wte.weight', 'step']);
  assert.deepEqual(both.take(['wte.weight', 'lm_head.weight']), ['wte.weight', 'lm_head.weight']);
  assert.deepEqual(both.unused(), ['step']);
});

test('what torch.compile and DataParallel put into names is looked through', () => {
  const names = new WeightNames(['_orig_mod.a', 'module.b', 'module._orig_mod.c', 'h.0._orig_mod.d']);
  for (const name of ['a', 'b', 'c', 'h.0.d']) assert.equal(names.take([name]).length, 1, name);
  assert.deepEqual(names.unused(), []);
  assert.equal(new WeightNames(['module.a', 'a']).take(['a'])[0], 'a');
  assert.equal(new WeightNames(['a']).take(['module.a'])[0], 'a');
  assert.equal(new WeightNames(['a.module.b']).take(['a.b'])[0], undefined);
});
