/** Every operation's gradient against central differences in float64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interpret } from '../../extension/core/compiler/interpret.js';
import { operation, operationNames } from '../../extension/core/compiler/ops/table.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import { cases } from './cases.js';

const STEP = 1e-5;
const TOLERANCE = 1e-6;

const tested = new Set<string>();

for (const { name, make } of cases) {
  test(`gradient of ${name}`, () => {
    const { graph: g, trace } = make();
    const { step } = prepare(trace, { mode: 'train', debug: () => undefined });
    for (const node of [...trace.forward.nodes, ...step.nodes]) tested.add(node.op);
    const feeds = { ...g.feeds(), random: () => 0.4 };
    const gradients = interpret(step, feeds);
    const lossAt = (): number => interpret(trace.forward, feeds)['loss']!.data[0]!;
    assert.ok(Math.abs(gradients['loss']!.data[0]! - lossAt()) <= 1e-9 * Math.max(1, Math.abs(lossAt())));
    g.stateArrays.forEach((array, index) => {
      if (!g.state[index]!.requiresGrad) return;
      const gradient = gradients[`grad.${index}`];
      array.data.forEach((value, i) => {
        array.data[i] = value + STEP;
        const above = lossAt();
        array.data[i] = value - STEP;
        const below = lossAt();
        array.data[i] = value;
        const expected = (above - below) / (2 * STEP);
        const actual = gradient?.data[i] ?? 0;
        const error = Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
        assert.ok(
          error <= TOLERANCE,
          `parameter ${index}, element ${i}: ${actual} and by differences ${expected}`,
        );
      });
    });
  });
}

test('every operation with a derivative is in a test above', () => {
  const untested = operationNames().filter((name) => operation(name).vjp && !tested.has(name));
  assert.deepEqual(untested, []);
});
