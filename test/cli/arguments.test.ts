import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arguments, type Command, helpOf } from '../../extension/cli/command.js';
import { compare } from '../../extension/cli/commands/compare.js';
import { forward } from '../../extension/cli/commands/forward.js';
import { models } from '../../extension/cli/commands/models.js';
import { modelsOf } from '../../extension/cli/options.js';
import { UsageError } from '../../extension/core/experiments/usageError.js';

const command: Command = {
  name: 'try',
  summary: 'Tries.',
  usage: '[options]',
  options: [
    { name: 'targets', value: 'N', help: 'ids' },
    { name: 'grad', help: 'a switch' },
  ],
  run: () => Promise.resolve(0),
};

test('a negative number behind an option is its value', () => {
  const args = new Arguments(command, ['--targets', '-1,2', 'MODEL', '--grad']);
  assert.deepEqual(args.wholes('targets', -1), [-1, 2]);
  assert.deepEqual(args.positionals, ['MODEL']);
  assert.equal(args.has('grad'), true);
  assert.deepEqual(args.given().sort(), ['grad', 'targets']);
});

test('wrong options are one sentence', () => {
  for (const words of [['--nope'], ['--targets'], ['--targets', '--grad'], ['--grad=1']])
    assert.throws(
      () => new Arguments(command, words),
      (error) =>
        error instanceof UsageError && /^[^\n]+[^.]; see crossover try --help\.$/.test(error.message),
    );
});

test('a size is given to zoo models that have none', () => {
  const args = new Arguments(compare, ['gpt2', 'rwkv7:2M', 'model.py::GPT()', '--parameters', '10M']);
  const sources = modelsOf(args).map(({ source }) => source);
  assert.deepEqual(sources, ['gpt2:10M', 'rwkv7:2M', 'model.py::GPT()']);
  const wrong = new Arguments(compare, ['gpt2', '--parameters', 'ten']);
  assert.throws(() => modelsOf(wrong), /"ten" is not a number of parameters/);
});

test('help fits into 80 columns', () => {
  for (const one of [compare, forward, models])
    for (const line of helpOf(one).split('\n')) assert.ok(line.length <= 80, line);
});
