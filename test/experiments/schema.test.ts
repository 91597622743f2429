/** The schemas of experiments and of crossover.json say what the validators say: thousands of changed documents are judged by both. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { defaultComparison } from '../../extension/core/experiments/defaults.js';
import { validateExperiment } from '../../extension/core/experiments/validate.js';
import { validateWorkspaceFile } from '../../extension/core/experiments/workspaceFile.js';
import { definition, obeys, type Schema } from '../fixtures/jsonSchema.js';

const schemaOf = (name: string): Schema =>
  JSON.parse(readFileSync(`extension/schemas/${name}.schema.json`, 'utf8')) as Schema;
const experiment = schemaOf('experiment');
const workspace = schemaOf('workspace');

/** Every field there is, so that every one is changed. */
const full = {
  $schema: './experiment.schema.json',
  version: 1,
  title: 'All',
  models: [
    { source: 'gpt2' },
    {
      source: 'model.py::GPT(T)',
      label: 'GPT',
      call: 'model(idx)',
      env: { A: 'b' },
      args: ['x'],
      init: 'None',
      weights: 'w.safetensors',
      heads: 4,
    },
  ],
  device: 'cpu',
  precision: 'fp32',
  vocab: 256,
  threads: 2,
  data: { path: 'text.txt', tokenizer: 'gpt2', vocabulary: 'encoder.json' },
  timing: { contexts: [128, 256], tokensPerStep: 4096, samples: 5 },
  decode: { contexts: [64, 128], samples: 5 },
  train: {
    context: 128,
    batch: 4,
    steps: 10,
    learningRate: 1e-3,
    minLearningRate: 1e-4,
    warmupSteps: 2,
    weightDecay: 0.1,
    clip: 1,
    seeds: [1, 2],
    evalEvery: 5,
  },
  evals: [
    { kind: 'heldout' },
    { kind: 'mqar', context: 64, pairs: 4, vocab: 128, steps: 10, batch: 4, learningRate: 1e-3, seeds: [1] },
  ],
};

/** What a schema cannot say: relations between fields. */
const RELATIONS = /does not divide|cannot be made|scores held-out text/;

type Document = Record<string, unknown> | unknown[];
const VALUES = [
  null,
  true,
  '',
  'x',
  'byte',
  'bf16',
  'mqar',
  -1,
  0,
  0.5,
  1,
  3,
  8,
  1e-9,
  2 ** 53,
  [],
  [1],
  [1, 1],
  ['x'],
  {},
  { a: 1 },
];
const EDGES = [
  1,
  2,
  4,
  5,
  8,
  1024,
  10_000,
  65_536,
  2 ** 18,
  2 ** 20,
  2 ** 22,
  2 ** 24,
  2 ** 26,
  10_000_000,
  2 ** 53 - 1,
].flatMap((edge) => [edge - 1, edge, edge + 1]);

/** The document with every part, one at a time, left out, replaced, or with a field more. */
function* changes(document: unknown): Generator<unknown> {
  const copy = (): Document => structuredClone(document) as Document;
  const places = function* (
    value: unknown,
    path: readonly (string | number)[],
  ): Generator<(string | number)[]> {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      const place = [...path, Array.isArray(value) ? Number(key) : key];
      yield place;
      yield* places((value as Record<string, unknown>)[key], place);
    }
  };
  const parentOf = (root: Document, place: readonly (string | number)[]): Record<string | number, unknown> =>
    place
      .slice(0, -1)
      .reduce<unknown>((at, key) => (at as Record<string | number, unknown>)[key], root) as Record<
      string | number,
      unknown
    >;
  for (const place of places(document, [])) {
    const last = place.at(-1)!;
    const left = copy();
    const parent = parentOf(left, place);
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
    yield left;
    for (const value of [...VALUES, ...EDGES]) {
      const replaced = copy();
      parentOf(replaced, place)[last] = structuredClone(value);
      yield replaced;
    }
    const more = copy();
    const target = parentOf(more, place)[last];
    if (typeof target === 'object' && target !== null && !Array.isArray(target)) {
      (target as Record<string, unknown>)['another'] = 1;
      yield more;
    }
  }
  yield { ...(copy() as Record<string, unknown>), another: 1 };
}

function problemOf(validate: (value: unknown) => unknown, value: unknown): string | null {
  try {
    validate(value);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test('schema and validator of experiments agree on every changed document', () => {
  let count = 0;
  const seeds = [full, JSON.parse(JSON.stringify(defaultComparison())) as unknown];
  for (const seed of seeds) {
    assert.equal(problemOf(validateExperiment, seed), null);
    assert.ok(obeys(seed, experiment));
    for (const changed of changes(seed)) {
      const problem = problemOf(validateExperiment, changed);
      if (problem !== null && RELATIONS.test(problem)) continue;
      count++;
      assert.equal(
        obeys(changed, experiment),
        problem === null,
        `${problem ?? 'The validator takes it'}: ${JSON.stringify(changed)}`,
      );
    }
  }
  assert.ok(count > 3000, `${count} documents were judged`);
});

test('the schema has every field that the validator knows, and no other', () => {
  const known = (value: unknown): string[] =>
    /it may have (.*)\.$/
      .exec(problemOf(validateExperiment, value) ?? '')?.[1]
      ?.split(', ')
      .sort() ?? [];
  const fields = (schema: Schema): string[] => Object.keys(schema['properties'] as object).sort();
  const at = (name: string): string[] => fields(definition(experiment, `#/definitions/${name}`));
  const wrong = { another: 1 };
  assert.deepEqual(known({ ...full, ...wrong }), fields(experiment));
  assert.deepEqual(known({ ...full, models: [{ ...full.models[0], ...wrong }] }), at('model'));
  assert.deepEqual(known({ ...full, data: { ...full.data, ...wrong } }), at('data'));
  assert.deepEqual(known({ ...full, timing: { ...full.timing, ...wrong } }), at('timing'));
  assert.deepEqual(known({ ...full, decode: { ...full.decode, ...wrong } }), at('decode'));
  assert.deepEqual(known({ ...full, train: { ...full.train, ...wrong } }), at('train'));
  assert.deepEqual(known({ ...full, evals: [{ ...full.evals[0], ...wrong }] }), at('heldout'));
  assert.deepEqual(known({ ...full, evals: [{ ...full.evals[1], ...wrong }] }), at('mqar'));
  for (const name of ['model', 'data', 'timing', 'train', 'mqar']) assert.ok(at(name).length > 2, name);
});

test('schema and validator of crossover.json agree', () => {
  const documents: unknown[] = [
    { version: 1 },
    { version: 1, models: {} },
    { $schema: 'x', version: 1, models: { 'a.py::A': 'A()', 'sub/b.py::_B2': 'B(T)' } },
    { version: 2 },
    { models: {} },
    { version: 1, another: 1 },
    { version: 1, models: [] },
    { version: 1, models: { 'a.py': 'A()' } },
    { version: 1, models: { 'a.py::2A': 'A()' } },
    { version: 1, models: { 'a.py::A': '' } },
    { version: 1, models: { 'a.py::A': ' ' } },
    { version: 1, models: { 'a.py::A': 1 } },
    [],
    null,
  ];
  const judged = documents.map((value) => obeys(value, workspace));
  assert.deepEqual(
    judged,
    documents.map((value) => problemOf(validateWorkspaceFile, value) === null),
  );
  assert.equal(judged.filter(Boolean).length, 3);
});
