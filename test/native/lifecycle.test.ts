/** Malformed programs, memory, disposal, cancellation, exit during a run, the event loop, and the cost of timing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { FUSED_OPS, OPCODES } from '../../extension/core/compiler/program.js';
import { serialize } from '../../extension/core/compiler/serialize.js';
import { addon, addonPath, Machine, numbers } from './machine.js';

interface NativeError extends Error {
  readonly code: string;
  readonly needed?: number;
  readonly available?: number;
}
const hasCode = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Error);
  assert.equal((error as NativeError).code, code, error.message);
  assert.match(error.message, /^[A-Z].*\.$/s);
  return true;
};

/** A program of `repeats` matrix products of `size`; about 2 size^3 operations each. */
function heavy(size: number, repeats: number): Uint8Array {
  const shape = [size, size];
  const matrix = (index: number) => ({ segment: 'arena', storage: 'f32', byteOffset: index * size * size * 4, shape, strides: [size, 1] }) as const;
  return serialize({
    stateBytes: 0, arenaBytes: 3 * size * size * 4, ioBytes: 0,
    tensors: [matrix(0), matrix(1), matrix(2)],
    instructions: Array.from({ length: repeats }, () => ({ op: 'matmul', phase: 'forward', operands: [0, 1, 2, -1, -1], ints: [0, 0], floats: [1] }) as const),
    constants: new Uint8Array(),
  });
}

function small(): { bytes: Uint8Array; words: DataView } {
  const m = new Machine();
  m.op('softmax', [m.tensor([3, 5]), m.tensor([3, 5], { values: numbers(15, 1) })]);
  const bytes = m.serialized();
  return { bytes, words: new DataView(bytes.buffer) };
}

test('tables are those of program.ts', () => {
  const { opcodes, fusedOps } = addon.tables();
  assert.deepEqual(opcodes, [...OPCODES]);
  assert.deepEqual(fusedOps, [...FUSED_OPS]);
});

test('devices tells what serves', () => {
  const cpu = addon.devices();
  assert.ok(['avx512', 'avx2', 'portable'].includes(cpu.instructionSet));
  assert.ok(cpu.threads >= 1 && cpu.memoryBytes > 2 ** 28);
  assert.ok(cpu.oneDnn === null || /^\d+\.\d+/.test(cpu.oneDnn));
});

test('every word of a program that is senseless is refused with code program, and nothing crashes', () => {
  const session = addon.createSession({});
  const state = session.createState(0);
  session.loadProgram(small().bytes, state).dispose();
  const header = ['magic', 'version', 'stateBytes', 'arenaBytes', 'ioBytes', 'tensorCount', 'instructionCount', 'constantBytes'];
  header.forEach((name, i) => {
    for (const value of [-1n, 2n ** 62n, -(2n ** 63n)]) {
      const { bytes, words } = small();
      words.setBigInt64(i * 8, value, true);
      assert.throws(() => session.loadProgram(bytes, state), hasCode('program'), `${name} = ${value}`);
    }
  });
  const { bytes } = small();
  for (let word = 8; word < bytes.length / 8; word++) {
    for (const value of [-1n, -2n, 1n, 3n, 9n, 1000n, 2n ** 40n, 2n ** 61n, -(2n ** 63n)]) {
      const { bytes: changed, words } = small();
      words.setBigInt64(word * 8, value, true);
      try {
        session.loadProgram(changed, state).dispose();
      } catch (error) {
        hasCode('program')(error);
      }
    }
  }
  for (let length = 0; length < bytes.length; length += 4) {
    assert.throws(() => session.loadProgram(bytes.subarray(0, length), state), hasCode('program'));
  }
  assert.throws(() => session.loadProgram(new Uint8Array([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]), state), hasCode('program'));
  session.dispose();
});

test('instructions whose operands do not fit are refused, naming instruction and reason', () => {
  const refuse = (pattern: RegExp, build: (m: Machine) => void) => {
    const m = new Machine();
    build(m);
    const session = addon.createSession({});
    assert.throws(
      () => session.loadProgram(m.serialized(), session.createState(0)),
      (error) => hasCode('program')(error) && pattern.test((error as Error).message) ? true : assert.fail(String(error)),
    );
    session.dispose();
  };
  refuse(/Instruction 0 \(matmul\).*do not fit/, (m) => m.op('matmul', [m.tensor([2, 3]), m.tensor([2, 4]), m.tensor([5, 3])], [0, 0], [1]));
  refuse(/stride 1/, (m) => m.op('matmul', [m.tensor([2, 3]), m.tensor([2, 4], { strides: [9, 2] }), m.tensor([4, 3])], [0, 0], [1]));
  refuse(/element type/, (m) => m.op('softmax', [m.tensor([2, 3]), m.tensor([2, 3], { storage: 'i64' })]));
  refuse(/rank 2/, (m) => m.op('softmax', [m.tensor([6]), m.tensor([6])]));
  refuse(/N = 4/, (m) => m.op('softmax', [m.tensor([2, 3]), m.tensor([2, 4])]));
  refuse(/lacks operand 1/, (m) => m.op('softmax', [m.tensor([2, 3]), null]));
  refuse(/too many operands/, (m) => m.op('rng_seed', [m.tensor([1])], [1]));
  refuse(/integers/, (m) => m.op('rng_seed', [], []));
  refuse(/overlap/, (m) => m.op('softmax', [m.tensor([2, 3], { strides: [0, 1] }), m.tensor([2, 3])]));
  refuse(/over operand 1/, (m) => {
    const t = m.tensor([4, 4]);
    m.op('matmul', [t, t, m.tensor([4, 4])], [0, 0], [1]);
  });
  refuse(/unset register/, (m) => m.op('fused', [m.tensor([4]), m.tensor([4])], [0, 1, 0, 0, 2, 0]));
  refuse(/register that is not there/, (m) => m.op('fused', [m.tensor([4]), m.tensor([4])], [0, 1, 0, 0, 0, 0, 0, 96, 0, -1, -1]));
  refuse(/torn code/, (m) => m.op('fused', [m.tensor([4]), m.tensor([4])], [0, 1, 0, 0, 0, 0, 0, 1, 0, -1]));
  refuse(/reduction/, (m) => m.op('fused', [m.tensor([4]), m.tensor([4])], [0, 1, 1, 1, 0, 0]));
  refuse(/real function/, (m) => m.op('fused', [m.tensor([4]), m.tensor([4])], [1, 1, 0, 0, 1, 0, FUSED_OPS.indexOf('exp'), 1, 0, -1, -1]));
  refuse(/saved states/, (m) => {
    const t = () => m.tensor([1, 17, 2, 4]);
    m.op('wkv6', [t(), null, m.tensor([63]), t(), t(), t(), t(), m.tensor([2, 4])]);
  });
});

test('too much memory is told before it is tried, with the bytes', () => {
  const session = addon.createSession({});
  const tooMuch = (error: unknown) => {
    hasCode('memory')(error);
    const { needed, available, message } = error as NativeError;
    assert.equal(needed, 2 ** 45);
    assert.ok(available! > 0 && available! < 2 ** 45);
    assert.match(message, new RegExp(String(2 ** 45)));
    return true;
  };
  assert.throws(() => session.createState(2 ** 45), tooMuch);
  const program = serialize({ stateBytes: 0, arenaBytes: 2 ** 45, ioBytes: 0, tensors: [], instructions: [], constants: new Uint8Array() });
  assert.throws(() => session.loadProgram(program, session.createState(0)), tooMuch);
  session.dispose();
});

test('dispose twice is fine; use after dispose is an Error with code disposed', async () => {
  const session = addon.createSession({ threads: 1 });
  const state = session.createState(64);
  const program = session.loadProgram(small().bytes, state);
  await program.run();
  program.dispose();
  program.dispose();
  assert.throws(() => program.run(), hasCode('disposed'));
  assert.throws(() => program.cancel(), hasCode('disposed'));
  assert.throws(() => program.read(0, 0, 1), hasCode('disposed'));
  assert.throws(() => program.write(0, 0, new Uint8Array(1)), hasCode('disposed'));
  const second = session.loadProgram(small().bytes, state);
  state.dispose();
  state.dispose();
  assert.throws(() => state.read(0, 1), hasCode('disposed'));
  assert.throws(() => second.run(), hasCode('disposed'));
  assert.throws(() => session.loadProgram(small().bytes, state), hasCode('disposed'));
  const third = session.loadProgram(small().bytes, session.createState(0));
  session.dispose();
  session.dispose();
  assert.throws(() => third.run(), hasCode('disposed'));
  assert.throws(() => session.createState(1), hasCode('disposed'));
  assert.throws(() => session.seed(1), hasCode('disposed'));
});

test('wrong arguments are errors, not crashes', () => {
  const session = addon.createSession({});
  const state = session.createState(16);
  const program = session.loadProgram(small().bytes, state);
  const wrong = <T>(value: unknown) => value as T;
  assert.throws(() => session.loadProgram(small().bytes, wrong({})), hasCode('program'));
  assert.throws(() => session.loadProgram(small().bytes, wrong(program)), hasCode('program'));
  assert.throws(() => session.loadProgram(wrong('text'), state), hasCode('program'));
  assert.throws(() => session.createState(-1), hasCode('program'));
  assert.throws(() => session.createState(1.5), hasCode('program'));
  assert.throws(() => addon.createSession({ threads: wrong('many') }), hasCode('program'));
  assert.throws(() => state.read(8, 9), hasCode('program'));
  assert.throws(() => state.write(16, new Uint8Array(1)), hasCode('program'));
  assert.throws(() => program.read(3, 0, 1), hasCode('program'));
  assert.throws(() => program.read(2, 2 ** 52, 2 ** 52), hasCode('program'));
  state.write(3, new Uint8Array([1, 2, 3]));
  assert.deepEqual([...state.read(2, 5)], [0, 1, 2, 3, 0]);
  session.dispose();
});

test('a run is cancelled within 300 ms, leaves the event loop free, and can be run again', async () => {
  const session = addon.createSession({});
  const program = session.loadProgram(heavy(2048, 2000), session.createState(0));
  let ticks = 0;
  const clock = setInterval(() => ticks++, 5);
  const running = program.run();
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.ok(ticks > 5, `the event loop turned ${ticks} times`);
  assert.throws(() => program.read(1, 0, 4), hasCode('busy'));
  await assert.rejects(program.run(), hasCode('busy'));
  const asked = performance.now();
  program.cancel();
  await assert.rejects(running, hasCode('cancelled'));
  assert.ok(performance.now() - asked < 300, `took ${performance.now() - asked} ms`);
  clearInterval(clock);
  const { totalNs, phaseNs } = await program.run({ start: 0, end: 1 });
  assert.ok(totalNs > 0 && Math.abs(phaseNs[1]! - totalNs) < 1e6);
  const again = program.run();
  program.dispose();
  await assert.rejects(again, hasCode('cancelled'));
  session.dispose();
});

test('disposing the session during a run settles its promise', async () => {
  const session = addon.createSession({});
  const running = session.loadProgram(heavy(2048, 2000), session.createState(0)).run();
  session.dispose();
  await assert.rejects(running, hasCode('cancelled'));
});

test('instruction ranges run alone; profiles have one number per instruction', async () => {
  const session = addon.createSession({});
  const program = session.loadProgram(heavy(64, 5), session.createState(0));
  const result = await program.run({ start: 1, end: 4, profile: true });
  assert.equal(result.instructionNs!.length, 3);
  assert.ok(result.instructionNs!.every((ns) => ns > 0));
  assert.equal((await program.run()).instructionNs, undefined);
  await assert.rejects(program.run({ start: 3, end: 9 }), hasCode('program'));
  session.dispose();
});

for (const [name, ending] of [
  ['process.exit', 'setTimeout(() => process.exit(7), 100)'],
  ['an exception', "process.exitCode = 7; setTimeout(() => { throw new Error('over'); }, 100)"],
] as const) {
  test(`${name} during a run ends the process cleanly`, () => {
    const script = `const addon = require(${JSON.stringify(addonPath)});
      const session = addon.createSession({});
      const program = session.loadProgram(new Uint8Array(Buffer.from('${Buffer.from(heavy(2048, 300)).toString('base64')}', 'base64')), session.createState(0));
      program.run().catch(() => {});
      ${ending};`;
    const started = performance.now();
    const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20000 });
    assert.equal(child.signal, null, child.stderr);
    assert.equal(child.status, name === 'process.exit' ? 7 : 1, child.stderr);
    assert.ok(performance.now() - started < 5000);
  });
}

/** A script whose worker thread starts a long run; 100 ms into it the main thread does `then`. */
const runInWorker = (then: string) =>
  `const { Worker } = require('node:worker_threads');
    const worker = new Worker(\`const addon = require(${JSON.stringify(addonPath)});
      const session = addon.createSession({});
      const bytes = new Uint8Array(Buffer.from('${Buffer.from(heavy(2048, 300)).toString('base64')}', 'base64'));
      session.loadProgram(bytes, session.createState(0)).run().catch(() => {});
      require('node:worker_threads').parentPort.postMessage('running');\`, { eval: true });
    worker.on('message', () => setTimeout(() => ${then}, 100));`;

test('a worker thread that ends during a run takes nothing down', () => {
  const script = runInWorker("worker.terminate().then(() => process.stdout.write('ended\\n'))");
  const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20000 });
  assert.equal(child.error, undefined);
  assert.equal(child.status, 0, child.stderr);
  assert.equal(child.stdout, 'ended\n');
});

test('process.exit in the main thread ends the run of a worker thread too', () => {
  const script = runInWorker('process.exit(7)');
  const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20000 });
  assert.equal(child.signal, null, child.stderr);
  assert.equal(child.status, 7, child.stderr);
});

test('once the process is ending, nothing new runs', () => {
  const script = `const addon = require(${JSON.stringify(addonPath)});
    const session = addon.createSession({});
    const program = session.loadProgram(new Uint8Array(Buffer.from('${Buffer.from(heavy(2048, 300)).toString('base64')}', 'base64')), session.createState(0));
    process.on('exit', () => {
      void program.run().catch(() => {});
      try {
        addon.createSession({});
      } catch (error) {
        process.stdout.write(error.code + '\\n');
      }
    });
    process.exit(7);`;
  const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20000 });
  assert.equal(child.signal, null, child.stderr);
  assert.equal(child.status, 7, child.stderr);
  assert.equal(child.stdout, 'disposed\n');
});

test('time per kernel costs less than 3% of the step', async () => {
  // Timing is always on: its cost is that of an instruction which does nothing, against a step of real kernels.
  const session = addon.createSession({});
  const empty = serialize({
    stateBytes: 0, arenaBytes: 0, ioBytes: 0, tensors: [], constants: new Uint8Array(),
    instructions: Array.from({ length: 20000 }, () => ({ op: 'rng_skip', phase: 'forward', operands: [], ints: [0, 0], floats: [] }) as const),
  });
  const idle = session.loadProgram(empty, session.createState(0));
  await idle.run({ profile: true });
  const perInstruction = (await idle.run({ profile: true })).totalNs / 20000;
  const step = session.loadProgram(heavy(128, 50), session.createState(0));
  await step.run();
  const perKernel = (await step.run()).totalNs / 50;
  assert.ok(perInstruction < 0.03 * perKernel, `${perInstruction} ns of ${perKernel} ns`);
  session.dispose();
});
