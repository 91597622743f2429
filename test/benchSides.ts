/** The two sides of `npm run bench:pytorch`: whole training steps of one model under PyTorch and under Crossover. */
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { openEngine } from '../extension/core/engine/client.js';
import { distPath } from '../extension/core/paths.js';

export interface Side {
  steps(count: number): Promise<{ ms: readonly number[]; losses: readonly number[]; resident: number }>;
  dispose(): void;
}

export interface Case {
  /** As a table names it. */
  readonly label: string;
  readonly file: string;
  readonly expression: string;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
}

interface PythonAnswer {
  readonly ms: readonly number[];
  readonly losses: readonly number[];
  readonly peakResidentBytes: number;
}

/** A Python with PyTorch that has built the model. Throws when it ends early. */
export async function pytorch(python: string, one: Case, eager: boolean): Promise<Side> {
  const child = spawn(python, [path.join(distPath(), '..', 'test', 'benchPytorch.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (message: object): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error(`Python ended early: does ${python} have PyTorch?`);
    return JSON.parse(line.value);
  };
  await ask({ load: { ...one, threads: os.availableParallelism(), eager } });
  return {
    steps: async (count) => {
      const { ms, losses, peakResidentBytes } = (await ask({ steps: count })) as PythonAnswer;
      return { ms, losses, resident: peakResidentBytes };
    },
    dispose: () => void child.kill('SIGKILL'),
  };
}

/** An engine that has loaded the model. */
export async function crossover({ file, expression, context, batch, vocab }: Case): Promise<Side> {
  const engine = openEngine();
  try {
    const model = { source: `${file}::${expression}` };
    await engine.ask<'load'>({
      method: 'load',
      model,
      root: process.cwd(),
      context,
      batch,
      vocab,
      precision: 'fp32',
      seed: 1337,
    });
  } catch (error) {
    engine.dispose();
    throw error;
  }
  return {
    steps: async (count) => {
      const asked = { method: 'step', count, learningRate: 1e-3, clip: 1 } as const;
      const { samplesMs, losses, peakResidentBytes } = await engine.ask<'step'>(asked);
      return { ms: samplesMs, losses, resident: peakResidentBytes };
    },
    dispose: () => engine.dispose(),
  };
}

/** PyTorch as it is fastest: `compiled` unless eager is, or compiling and warming up takes longer than the limit. */
export interface Fastest {
  readonly side: Side;
  readonly how: 'torch.compile' | 'eager';
}

/**
 * Tries torch.compile, for at most `limitSeconds`, then eager execution, two steps each; keeps the one with the shorter
 * second step, warmed up by then. Loops over single tokens are unrolled by torch.compile and seldom come through in time.
 */
export async function fastestPytorch(python: string, one: Case, limitSeconds: number): Promise<Fastest> {
  const compiled = await pytorch(python, one, false);
  const compiledMs = await timedStep(compiled, limitSeconds * 1000);
  if (compiledMs === null) compiled.dispose();
  // What compiling took says nothing about a step, so that eager execution gets all the time it needs.
  const eager = await pytorch(python, one, true);
  const eagerMs = (await timedStep(eager, Infinity))!;
  process.stderr.write(
    `  torch.compile ${compiledMs === null ? `gave no second step in ${limitSeconds} s` : `${Math.round(compiledMs)} ms`}, eager ${Math.round(eagerMs)} ms\n`,
  );
  if (compiledMs === null) return { side: eager, how: 'eager' };
  if (eagerMs < compiledMs) {
    compiled.dispose();
    return { side: eager, how: 'eager' };
  }
  eager.dispose();
  return { side: compiled, how: 'torch.compile' };
}

/** The time of the second step, or null when both together take longer than the limit or fail. */
async function timedStep(side: Side, limitMs: number): Promise<number | null> {
  const steps = side.steps(2).then(
    ({ ms }) => ms[1]!,
    (error: unknown) => {
      if (limitMs === Infinity) throw error;
      return null;
    },
  );
  if (limitMs === Infinity) return steps;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), limitMs)));
  const result = await Promise.race([steps, late]);
  clearTimeout(timer);
  return result;
}
