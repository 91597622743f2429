/** An architecture is its whole recipe: optimizer groups and initialisation of every zoo model, against a table. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { zooIds, zooModel, type ZooId, type ZooModel } from '../../extension/core/experiments/zoo.js';
import { distPath } from '../../extension/core/paths.js';
import { recipes, variants, type Place, type Start } from '../fixtures/recipes.js';
import { findPython } from './python.js';

/** One parameter as PyTorch has it; rate and decay as multiples of those that were asked for. */
interface Parameter {
  readonly name: string;
  readonly rate: number;
  readonly decay: number;
  readonly adam: readonly number[];
  readonly shape: readonly number[];
  readonly mean: number;
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
  readonly values?: readonly number[];
  readonly singular?: readonly [number, number];
}

const vocabulary = 48;
const found = findPython();
const sized = (id: ZooId): ZooModel => zooModel(id, { parameters: 1_000_000 });
const models = [
  ...zooIds().map((id) => ({ ...sized(id), name: id, recipe: recipes[id] })),
  ...variants.map(({ id, option, recipe }) => {
    const model = sized(id);
    return {
      ...model,
      expression: model.expression.replace(/\)\)$/, `, ${option}))`),
      name: `${id} with ${option}`,
      recipe,
    };
  }),
];
const near = (a: number, b: number, relative: number): boolean => Math.abs(a - b) <= relative * Math.abs(b);

/** Whether a parameter starts as the table says; what is wrong with it, or null. */
function fault(parameter: Parameter, start: Start, at: Place): string | null {
  const { mean, deviation, min, max, values, singular, shape } = parameter;
  const count = shape.reduce((product, n) => product * n, 1);
  const seen = `mean ${mean}, deviation ${deviation}, from ${min} to ${max}`;
  if ('values' in start) {
    if (values === undefined) return `${seen}, and not a formula`;
    const index = values.findIndex(
      (value, i) => !(Math.abs(value - start.values(i, at)) <= 2e-6 * Math.max(1, Math.abs(value))),
    );
    return index < 0 ? null : `element ${index} is ${values[index]}, not ${start.values(index, at)}`;
  }
  if ('drawn' in start) {
    if (values === undefined) return `${seen}, too many to look at`;
    const places = values.map((value) => start.drawn(value));
    const average = places.reduce((sum, place) => sum + place, 0) / places.length;
    const legal =
      places.every((place) => place > -1e-5 && place < 1 + 1e-5) &&
      new Set(places).size === places.length &&
      Math.abs(average - 0.5) < 5 / Math.sqrt(12 * places.length) &&
      Math.max(...places) - Math.min(...places) > 1 - 8 / places.length;
    return legal ? null : `${seen}, at ${places.join()} of its distribution`;
  }
  if ('orthogonal' in start) {
    const gain = start.orthogonal(at);
    const legal = singular !== undefined && singular.every((value) => near(value, gain, 1e-4));
    return legal ? null : `singular values are ${singular?.join(' to ') ?? 'unknown'}, not ${gain}`;
  }
  // Five standard errors; a normal distribution of this many has values far outside, a uniform one fills its range.
  if ('normal' in start) {
    const expected = start.normal(at);
    const legal =
      near(deviation, expected, 5 / Math.sqrt(2 * count)) &&
      Math.abs(mean) < (5 * expected) / Math.sqrt(count) &&
      Math.max(max, -min) > 2.5 * expected;
    return legal ? null : `${seen}, not normal with ${expected}`;
  }
  const limit = start.uniform(at);
  const legal =
    near(deviation, limit / Math.sqrt(3), 5 / Math.sqrt(2 * count)) &&
    Math.abs(mean) < (5 * limit) / Math.sqrt(3 * count) &&
    Math.max(max, -min) <= limit * (1 + 1e-6) &&
    Math.min(max, -min) > 0.95 * limit;
  return legal ? null : `${seen}, not uniform up to ${limit}`;
}

describe('recipes', { skip: 'missing' in found ? found.missing : false }, () => {
  let all: readonly (readonly Parameter[])[];

  before(() => {
    assert.ok('python' in found);
    const asked = JSON.stringify(models.map(({ id, expression }) => [id, expression]));
    const run = spawnSync(found.python, ['test/parity/recipes.py', distPath('zoo'), asked], {
      encoding: 'utf8',
      timeout: 300_000,
      maxBuffer: 1 << 28,
    });
    assert.equal(run.status, 0, run.stderr);
    all = JSON.parse(run.stdout) as typeof all;
  });

  for (const [index, { name: called, label, shape, recipe }] of models.entries()) {
    const { groups, starts, betas, eps } = recipe;

    it(`${called}: learning rates, weight decay and Adam's constants`, () => {
      const used = new Set<RegExp>();
      for (const { name, rate, decay, adam } of all[index]!) {
        const row = groups.find(([pattern]) => pattern.test(name));
        assert.ok(row, `${label}: the table has no group for ${name}`);
        used.add(row[0]);
        assert.ok(near(rate, row[1], 1e-9), `${label}: ${name} has ${rate} times the rate`);
        assert.ok(near(decay, Number(row[2]), 1e-9), `${label}: ${name} has ${decay} times the decay`);
        assert.deepEqual(adam, [...betas, eps], `${label}: ${name}`);
      }
      assert.deepEqual(
        groups.filter(([pattern]) => !used.has(pattern)),
        [],
        `${label}: groups without parameters`,
      );
    });

    it(`${called}: how every parameter starts`, () => {
      const used = new Set<RegExp>();
      for (const parameter of all[index]!) {
        const { name } = parameter;
        const row = starts.find(([pattern]) => pattern.test(name));
        assert.ok(row, `${label}: the table does not say how ${name} starts`);
        used.add(row[0]);
        const l = Number(/\d+/.exec(name)?.[0] ?? 0);
        const at = { l, L: shape.layers, D: shape.width, V: vocabulary, shape: parameter.shape };
        assert.equal(fault(parameter, row[1], at), null, `${label}: ${name}`);
      }
      assert.deepEqual(
        starts.filter(([pattern]) => !used.has(pattern)),
        [],
        `${label}: starts without parameters`,
      );
    });
  }
});
