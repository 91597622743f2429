/** Every operation and its derivative, compiled: programs against the graph interpreter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile } from '../../extension/core/compiler/compile.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import { cases } from './cases.js';
import { largestDifference } from './graphs.js';
import { compileAndRun } from './programs.js';

const TOLERANCE = 1e-5;

for (const { name, make } of cases) {
  test(`lowering of ${name}`, () => {
    const { graph, trace } = make();
    const { step } = prepare(trace, { mode: 'gradients' });
    const expected = interpret(step, graph.feeds());
    const options = { mode: 'gradients', precision: 'fp32' } as const;
    const { results } = compileAndRun(trace, options, graph.stateArrays, graph.inputs);
    for (const [key, value] of Object.entries(expected)) {
      const result = results[key];
      assert.ok(result, `${key} is missing`);
      const difference = largestDifference(value, result);
      assert.ok(difference <= TOLERANCE, `${key} differs by ${difference}`);
    }
    assert.ok(compile(trace, { mode: 'train', precision: 'bf16' }).program.length > 0);
  });
}
