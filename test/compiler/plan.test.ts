/** The memory planner: nothing that lives together overlaps, the peak is exact, and whole models stay near the bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile } from '../../extension/core/compiler/compile.js';
import type { Compiled } from '../../extension/core/compiler/compiled.js';
import { explain } from '../../extension/core/compiler/explain.js';
import { type Kernel, KernelList } from '../../extension/core/compiler/lower/kernel.js';
import type { View } from '../../extension/core/compiler/lower/view.js';
import { checkPlan, plan } from '../../extension/core/compiler/plan.js';
import type { Instruction, Program } from '../../extension/core/compiler/program.js';
import { deserialize, serialize } from '../../extension/core/compiler/serialize.js';
import { generator } from './graphs.js';
import { gpt, rwkv } from './models.js';

/** A kernel that writes its first operand; opcode `gather` never works in place, `softmax` does. */
function kernel(op: 'gather' | 'softmax', ...operands: View[]): Kernel {
  return {
    op,
    phase: 'forward',
    operands,
    outputs: 1,
    updates: [],
    ints: [],
    floats: [],
    flops: 0,
    parts: [],
  };
}

test('buffers that live at different times share memory', () => {
  const list = new KernelList();
  const [a, b, c] = [0, 1, 2].map(() => list.temporary('f32', [1024])) as [View, View, View];
  list.kernels.push(kernel('gather', a), kernel('gather', b, a), kernel('gather', c, b));
  const result = plan(list);
  assert.equal(result.arenaBytes, 2 * 4096);
  assert.equal(result.offsets[a.buffer], result.offsets[c.buffer]);
  assert.deepEqual(checkPlan(list, result), []);
});

test('an output takes the place of an input that dies, only where the kernel allows it', () => {
  for (const [op, bytes] of [
    ['softmax', 4096],
    ['gather', 8192],
  ] as const) {
    const list = new KernelList();
    const [a, b] = [0, 1].map(() => list.temporary('f32', [4, 256])) as [View, View];
    list.kernels.push(kernel('gather', a), kernel(op, b, a));
    assert.equal(plan(list).arenaBytes, bytes);
    list.kernels.push(kernel('gather', list.temporary('f32', [1]), a, b));
    assert.equal(plan(list).arenaBytes, 8192 + 64, 'the input is read once more');
  }
});

test('random programs: no overlap, and the peak is what the lifetimes say', () => {
  const random = generator(5);
  for (let round = 0; round < 20; round++) {
    const list = new KernelList();
    const views: View[] = [];
    for (let k = 0; k < 60; k++) {
      const inputs = [0, 1].flatMap(() => views[Math.floor(random() * views.length)] ?? []);
      const output = list.temporary('f32', [1 + Math.floor(random() * 5000)]);
      list.kernels.push(kernel(random() < 0.5 ? 'gather' : 'softmax', output, ...inputs));
      views.push(output);
    }
    const result = plan(list);
    assert.deepEqual(checkPlan(list, result), []);
    assert.ok(result.arenaBytes >= result.lowerBound);
    assert.ok(result.arenaBytes <= 1.3 * result.lowerBound, `${result.arenaBytes} of ${result.lowerBound}`);
  }
});

test('the check of a plan sees an overlap and a wrong peak', () => {
  const list = new KernelList();
  const [a, b] = [0, 1].map(() => list.temporary('f32', [1024])) as [View, View];
  list.kernels.push(kernel('gather', a), kernel('gather', b, a));
  const result = plan(list);
  assert.equal(checkPlan(list, { ...result, offsets: [0, 64] }).length, 2);
  assert.equal(checkPlan(list, { ...result, arenaBytes: 1 }).length, 1);
});

const large = { batch: 16, context: 256, layers: 6, heads: 6, width: 384, vocab: 65, shapesOnly: true };

/** Copies of at least a megabyte: `fused` with one input and no code, between different places. */
function largeCopies(program: Program): Instruction[] {
  return program.instructions.filter((instruction) => {
    const { op, operands, ints } = instruction;
    const bytes = program.tensors[operands[0]!]?.shape.reduce((a, b) => a * b, 4) ?? 0;
    return op === 'fused' && operands.length === 2 && ints.length === 6 && ints[3] === 0 && bytes >= 1 << 20;
  });
}

function train(name: string, model: ReturnType<typeof gpt>): { compiled: Compiled; program: Program } {
  const compiled = compile(model.trace, { mode: 'train', precision: 'fp32' });
  const program = deserialize(compiled.program);
  assert.equal(compiled.instructions.length, program.instructions.length, name);
  assert.equal(compiled.peakBytes, compiled.stateBytes + compiled.arenaBytes + compiled.ioBytes);
  for (const { parts } of compiled.instructions) {
    const sum = parts.reduce((total, { share }) => total + share, 0);
    assert.ok(parts.length === 0 || Math.abs(sum - 1) < 1e-9);
  }
  return { compiled, program };
}

test('a GPT step copies nothing large and never holds a T x T tensor', () => {
  const model = gpt({ ...large, batch: 2, context: 2048 });
  const { compiled, program } = train('gpt', model);
  assert.deepEqual(largeCopies(program), []);
  assert.ok(program.tensors.every(({ shape }) => shape.filter((size) => size === 2048).length < 2));
  const perToken = 6 * 16 * 384 * 4; // 16 tensors of model width per layer
  assert.ok(compiled.arenaBytes < 1.1 * perToken * 4096 + 30e6, `${compiled.arenaBytes} bytes`);
});

test('operations of a GPT step: 6 per parameter and token, and attention', () => {
  const { compiled } = train('gpt', gpt(large));
  const matrix = 6 * 12 * 384 * 384 + 65 * 384;
  const { forward, backward } = compiled.flops;
  const products = 2 * matrix * 4096;
  assert.ok(forward > products && forward < 1.08 * products, `${forward} of ${products}`);
  assert.ok(backward > 2 * products && backward < 2.2 * products, `${backward}`);
});

test('what a line keeps for the backward pass is counted once, and only what the backward pass reads', () => {
  const list = new KernelList();
  const [a, b, c, d] = [0, 1, 2, 3].map(() => list.temporary('f32', [1024])) as [View, View, View, View];
  list.kernels.push(
    kernel('gather', a),
    kernel('gather', b, a),
    kernel('gather', b, a),
    { ...kernel('gather', c, b), phase: 'backward' },
    { ...kernel('gather', d, c), phase: 'backward' },
  );
  assert.deepEqual(
    explain(list).map(({ keptBytes }) => keptBytes),
    [0, 4096, 0, 0, 0],
  );
  const { compiled } = train('gpt', gpt(large));
  const kept = compiled.instructions.reduce((sum, { keptBytes }) => sum + keptBytes, 0);
  const tensor = 4 * 384 * 4096; // one of model width, f32
  assert.ok(kept > 6 * 8 * tensor && kept < 6 * 17 * tensor, `${kept / tensor / 6} per layer`);
  assert.ok(kept <= compiled.arenaBytes);
});

test('an RWKV step copies no more than its decay matrices', () => {
  const { program } = train('rwkv', rwkv(large, 256));
  const copies = largeCopies(program).filter(({ operands }) => {
    const { shape } = program.tensors[operands[0]!]!;
    return shape.reduce((a, b) => a * b, 1) > 6 * 256 * 512;
  });
  assert.deepEqual(copies, []);
});

test('a program survives its own format', () => {
  const { compiled, program } = train('gpt', gpt({ ...large, layers: 1 }));
  assert.deepEqual(serialize(program), compiled.program);
  assert.throws(() => deserialize(new Uint8Array(64)), /not a program/);
});
