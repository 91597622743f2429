/** crossover.json: what is kept of the models, and what is wrong with it in one sentence. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { modelKey, parseWorkspaceFile, withModel } from '../../extension/core/experiments/workspaceFile.js';
import { findZooModel } from '../../extension/core/experiments/zoo.js';
import { zooSources } from '../../extension/core/experiments/zooSources.js';

test('a model is added to what is there, in the order of names', () => {
  const first = withModel(null, modelKey('b.py', 'B'), 'B(T)');
  assert.equal(first, '{\n  "version": 1,\n  "models": {\n    "b.py::B": "B(T)"\n  }\n}\n');
  const second = withModel(first, modelKey('sub\\a.py', 'A'), 'A(V)');
  assert.deepEqual(Object.entries(parseWorkspaceFile(second)), [
    ['b.py::B', 'B(T)'],
    ['sub/a.py::A', 'A(V)'],
  ]);
  assert.deepEqual(parseWorkspaceFile(withModel(second, 'b.py::B', 'B(T, V)')), {
    'b.py::B': 'B(T, V)',
    'sub/a.py::A': 'A(V)',
  });
});

test('the schema that an editor has written stays', () => {
  const text = withModel('{"$schema": "./s.json", "version": 1}', 'a.py::A', 'A()');
  assert.deepEqual(JSON.parse(text), { $schema: './s.json', version: 1, models: { 'a.py::A': 'A()' } });
});

test('what is wrong names the file and the field', () => {
  const cases: [string, RegExp][] = [
    ['{', /: crossover\.json is not JSON/],
    ['[]', /must hold an object/],
    ['{"models": {}}', /has no "version": 1/],
    ['{"version": 1, "extra": 0}', /no field "extra"/],
    ['{"version": 1, "models": []}', /"models" .* must be an object/],
    ['{"version": 1, "models": {"a.py": "A()"}}', /"a\.py" .* FILE\.py::CLASS/],
    ['{"version": 1, "models": {"a.py::A": " "}}', /"a\.py::A" .* must be a Python expression/],
    ['{"version": 1, "models": {"a.py::A": 3}}', /"a\.py::A" .* must be a Python expression/],
  ];
  for (const [text, expected] of cases) assert.throws(() => parseWorkspaceFile(text), expected);
});

test('a zoo model consists of its file and what it imports', () => {
  const names = (id: string): string[] =>
    zooSources(findZooModel(id)!.file)
      .map((file) => path.basename(file))
      .sort();
  assert.deepEqual(names('gpt2'), ['gpt2.py']);
  assert.deepEqual(names('mistral'), ['llama.py', 'mistral.py']);
  assert.deepEqual(names('mamba2_hybrid'), ['mamba2.py', 'mamba2_hybrid.py', 'ops.py']);
});
