import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireDevice } from '../../extension/core/experiments/device.js';
import { defaultComparison } from '../../extension/core/experiments/defaults.js';
import { learningRateAt } from '../../extension/core/experiments/schedule.js';
import { UsageError } from '../../extension/core/experiments/usageError.js';
import { validateExperiment } from '../../extension/core/experiments/validate.js';

test('the default comparison is valid and survives JSON', () => {
  const experiment = defaultComparison();
  assert.deepEqual(validateExperiment(JSON.parse(JSON.stringify(experiment))), experiment);
});

const good = {
  version: 1,
  models: [{ source: 'gpt2' }],
  device: 'cpu',
  precision: 'fp32',
  vocab: 256,
  timing: { contexts: [256], tokensPerStep: 4096, samples: 5 },
};

const wrong: readonly (readonly [string, unknown, RegExp])[] = [
  ['null', null, /must be an object/],
  ['a list', [], /must be an object/],
  ['another version', { ...good, version: 2 }, /version 2/],
  ['no models', { ...good, models: [] }, /at least one model/],
  ['a model without source', { ...good, models: [{}] }, /"models\[0\]\.source" must be a text/],
  ['an unknown field', { ...good, wat: 1 }, /no field "wat"/],
  [
    'an unknown model field',
    { ...good, models: [{ source: 'gpt2', file: 'x' }] },
    /no field "file" in models\[0\]/,
  ],
  ['another device', { ...good, device: 'tpu' }, /"device" must be "cpu"/],
  ['another precision', { ...good, precision: 'fp8' }, /one of fp32, bf16/],
  ['a vocabulary of text', { ...good, vocab: '256' }, /"vocab" must be a whole number/],
  [
    'an uneven context',
    { ...good, timing: { ...good.timing, contexts: [300] } },
    /context of 300 does not divide/,
  ],
  ['a context twice', { ...good, timing: { ...good.timing, contexts: [256, 256] } }, /twice/],
  [
    'too few samples',
    { ...good, timing: { ...good.timing, samples: 2 } },
    /"timing.samples" must be a whole number from 5/,
  ],
  ['nothing to measure', { ...good, timing: undefined }, /measures nothing/],
  [
    'held-out text without training',
    { ...good, evals: [{ kind: 'heldout' }] },
    /give the experiment "train"/,
  ],
  ['an unknown eval', { ...good, evals: [{ kind: 'iq' }] }, /must be "heldout" or "mqar"/],
  [
    'a rate of NaN',
    { ...good, train: { context: 8, batch: 1, steps: 1, learningRate: NaN, seeds: [1] } },
    /learningRate/,
  ],
  [
    'no seeds',
    { ...good, train: { context: 8, batch: 1, steps: 1, learningRate: 1, seeds: [] } },
    /must not be empty/,
  ],
];

for (const [name, value, message] of wrong) {
  test(`refused with one sentence: ${name}`, () => {
    assert.throws(
      () => validateExperiment(value),
      (error: Error) =>
        error instanceof UsageError && message.test(error.message) && !error.message.includes('\n'),
    );
  });
}

test('bf16 is refused, in one sentence that says what to do, where the processor lacks it', () => {
  const cpu = {
    model: 'Some CPU',
    threads: 2,
    instructionSet: 'avx2',
    oneDnn: null,
    bf16: false,
    memoryBytes: 2 ** 33,
  };
  assert.throws(
    () => requireDevice({ precision: 'bf16' }, cpu),
    (error) =>
      error instanceof UsageError && /Some CPU.*does not multiply bf16.*choose.*fp32/.test(error.message),
  );
  requireDevice({ precision: 'fp32' }, cpu);
  requireDevice({ precision: 'bf16' }, { ...cpu, bf16: true });
});

test('the learning rate warms up, reaches its peak and ends at its minimum', () => {
  const spec = { steps: 100, learningRate: 1e-3, minLearningRate: 1e-4, warmupSteps: 10 };
  assert.equal(learningRateAt(1, spec), 1e-4);
  assert.equal(learningRateAt(10, spec), 1e-3);
  assert.ok(Math.abs(learningRateAt(55, spec) - 5.5e-4) < 1e-12);
  assert.ok(Math.abs(learningRateAt(100, spec) - 1e-4) < 1e-12);
});
