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
  let eager: Side | undefined;
  let kept: Side | undefined;
  try {
    const compiledMs = await within(limitSeconds, secondStep(compiled));
    if (compiledMs === null) compiled.dispose(); // at once: it would go on compiling beside what is timed next
    // What compiling took says nothing about a step, so that eager execution gets all the time it needs.
    eager = await pytorch(python, one, true);
    const eagerMs = await secondStep(eager);
    const said =
      compiledMs === null ? `gave no second step in ${limitSeconds} s` : `${Math.round(compiledMs)} ms`;
    process.stderr.write(`  torch.compile ${said}, eager ${Math.round(eagerMs)} ms\n`);
    kept = compiledMs !== null && compiledMs <= eagerMs ? compiled : eager;
    return { side: kept, how: kept === compiled ? 'torch.compile' : 'eager' };
  } finally {
    for (const side of [compiled, eager]) if (side !== kept) side?.dispose();
  }
}

/** The time of the second step, in milliseconds. */
const secondStep = async (side: Side): Promise<number> => (await side.steps(2)).ms[1]!;

/** What `work` gives, or null when it takes longer than the limit or fails. */
async function within<T>(seconds: number, work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), seconds * 1000)));
  const result = await Promise.race([work.catch(() => null), late]);
  clearTimeout(timer);
  return result;
}
