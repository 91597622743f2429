/** Causal convolutions of every channel by itself become one kernel call, however they are written; others do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepare } from '../../extension/core/compiler/frontend.js';
import type { Attrs, ValueId } from '../../extension/core/compiler/graph.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import { generator, largestDifference, randomArray, TestGraph } from './graphs.js';
import { compileAndRun } from './programs.js';

const [B, T, C] = [2, 9, 3];

interface Form {
  readonly taps?: number;
  /** y [B, C, T] of x [B, C, T] and weights [C, 1, taps]. */
  readonly write: (g: TestGraph, x: ValueId, w: ValueId, extra: (...shape: number[]) => ValueId) => ValueId;
  /** Instructions of the forward program. */
  readonly program: readonly string[];
}

const conv = (g: TestGraph, inputs: readonly ValueId[], attrs: Attrs): ValueId =>
  g.one('conv1d', inputs, { stride: 1, padding: 0, dilation: 1, groups: C, ...attrs });

const forms: Record<string, Form> = {
  'padding on both sides and the end cut': {
    write: (g, x, w) => g.narrow(conv(g, [x, w], { padding: 3 }), 2, 0, T),
    program: ['short_conv'],
  },
  'the end cut behind a transpose': {
    write: (g, x, w) => {
      const last = g.permute(conv(g, [x, w], { padding: 3 }), [0, 2, 1]);
      return g.permute(g.narrow(last, 1, 0, T), [0, 2, 1]);
    },
    program: ['short_conv'],
  },
  'the same with a bias': {
    write: (g, x, w, extra) => g.narrow(conv(g, [x, w, extra(C)], { padding: 3 }), 2, 0, T),
    program: ['short_conv'],
  },
  'padding on the left': {
    write: (g, x, w) => conv(g, [g.pad(x, [0, 0, 3], [0, 0, 0]), w], {}),
    program: ['short_conv'],
  },
  'eight taps': {
    taps: 8,
    write: (g, x, w) => g.narrow(conv(g, [x, w], { padding: 7 }), 2, 0, T),
    program: ['short_conv'],
  },
  'rows of an earlier text before x': {
    write: (g, x, w, extra) => conv(g, [g.cat([g.permute(extra(B, 3, C), [0, 2, 1]), x], 2), w], {}),
    program: ['short_conv'],
  },
  'no padding': { write: (g, x, w) => conv(g, [x, w], {}), program: ['fused', 'short_conv'] },
  'fewer positions than taps': {
    taps: 6,
    write: (g, x, w) => g.narrow(conv(g, [g.narrow(x, 2, 0, 2), w], { padding: 5 }), 2, 0, 2),
    program: ['short_conv'],
  },
  'nine taps': {
    taps: 9,
    write: (g, x, w) => g.narrow(conv(g, [x, w], { padding: 8 }), 2, 0, T),
    program: ['fused'],
  },
  'looking ahead': {
    taps: 3,
    write: (g, x, w) => conv(g, [x, w], { padding: 1 }),
    program: ['fused'],
  },
  'every second token': {
    write: (g, x, w) => g.narrow(conv(g, [x, w], { padding: 6, dilation: 2 }), 2, 0, T),
    program: ['fused'],
  },
};

for (const [name, { taps = 4, write, program }] of Object.entries(forms)) {
  test(`a convolution with ${name}: ${program.join(', ')}`, () => {
    const random = generator(5);
    const g = new TestGraph();
    const given = (...shape: number[]): ValueId => g.parameter(randomArray(shape, random));
    const [rows, w] = [given(B, T, C), given(C, 1, taps)];
    const y = g.permute(write(g, g.permute(rows, [0, 2, 1]), w, given), [0, 2, 1]);
    const weights = g.input('weights', randomArray(g.shape(y), random, 0.5, 1.5), 'f32');
    const loss = g.sum(g.mul(y, weights), [0, 1, 2]);

    const forward = { mode: 'forward', precision: 'fp32' } as const;
    const only = compileAndRun(g.trace({ logits: y }), forward, g.stateArrays, g.inputs);
    const ops = only.compiled.instructions.map(({ opcode }) => opcode);
    assert.deepEqual(program[0] === 'fused' && program.length === 1 ? [...new Set(ops)] : ops, program);

    const trace = g.trace({ loss });
    const expected = interpret(prepare(trace, { mode: 'gradients' }).step, g.feeds());
    const exact = interpret(trace.forward, g.feeds()).loss!;
    assert.ok(
      largestDifference(expected.loss!, exact) < 1e-12,
      'the loss is that of the convolution as written',
    );
    const options = { mode: 'gradients', precision: 'fp32' } as const;
    const { results } = compileAndRun(trace, options, g.stateArrays, g.inputs);
    for (const [key, value] of Object.entries(expected))
      assert.ok(largestDifference(value, results[key]!) <= 1e-5, key);
  });
}
