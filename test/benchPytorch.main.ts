/**
 * `npm run bench:pytorch`: the same model files under PyTorch with torch.compile and under Crossover, step by step in
 * turn, side by side. The files are other people's and are not shipped: nanoGPT's and nanoRWKV's model.py by default.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { table } from '../extension/cli/text/table.js';
import { systemTerminal } from '../extension/cli/terminal.js';
import { openEngine } from '../extension/core/engine/client.js';
import { UsageError } from '../extension/core/experiments/usageError.js';
import { distPath } from '../extension/core/paths.js';
import { median } from '../extension/core/stats/estimate.js';

const help = `npm run bench:pytorch -- [FILE.py...] [options]

Times whole training steps (AdamW and clipping included) of each file under torch.compile and under Crossover, in turn.
Without files it takes nanoGPT/model.py and nanoRWKV/model.py, in this folder or beside it.

  --expression E     builds the model; default GPT(GPTConfig(...)) with 6 layers, 6 heads, width 384
  --contexts N,N...  default 256,1024,2048
  --tokens N         tokens per step; default 4096
  --vocab V          default 65
  --samples N        timed steps each; default 5
  --eager            without torch.compile
  --python PATH      Python with PyTorch; default CROSSOVER_PYTHON, .cache/python, python3
  --json             one JSON document
`;

/** nanoGPT's and nanoRWKV's classes have the same names and the same configuration. */
const nano =
  'GPT(GPTConfig(block_size=T, vocab_size=V, n_layer=6, n_head=6, n_embd=384, dropout=0.0, bias=False))';
const WARM_UP = 2;

interface Side {
  steps(count: number): Promise<{ ms: readonly number[]; losses: readonly number[]; resident: number }>;
  dispose(): void;
}

interface Case {
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

async function pytorch(python: string, one: Case, eager: boolean): Promise<Side> {
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

async function crossover({ file, expression, ...shape }: Case): Promise<Side> {
  const engine = openEngine();
  try {
    const model = { source: `${file}::${expression}` };
    await engine.ask<'load'>({
      method: 'load',
      model,
      root: process.cwd(),
      ...shape,
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

async function measure(python: string, one: Case, samples: number, eager: boolean) {
  const sides: Side[] = [];
  try {
    sides.push(await pytorch(python, one, eager), await crossover(one));
    const times: [number[], number[]] = [[], []];
    const resident = [0, 0];
    for (const side of sides) await side.steps(WARM_UP);
    for (let round = 0; round < samples; round++) {
      for (const [index, side] of sides.entries()) {
        const { ms, resident: bytes } = await side.steps(1);
        times[index]!.push(...ms);
        resident[index] = bytes;
      }
    }
    const [theirs, ours] = times;
    return {
      model: path.join(path.basename(path.dirname(one.file)), path.basename(one.file)),
      context: one.context,
      batch: one.batch,
      pytorchMs: median(theirs),
      crossoverMs: median(ours),
      ratio: median(ours) / median(theirs),
      pytorchSamplesMs: theirs,
      crossoverSamplesMs: ours,
      pytorchResidentBytes: resident[0]!,
      crossoverResidentBytes: resident[1]!,
      residentRatio: resident[1]! / resident[0]!,
    };
  } finally {
    for (const side of sides) side.dispose();
  }
}

/** The files that were named, or those of the two projects where they are found. Throws one sentence when there is none. */
function filesOf(named: readonly string[]): string[] {
  const missing = named.find((file) => !existsSync(file));
  if (missing !== undefined) throw new UsageError(`${missing} does not exist: name a PyTorch model file.`);
  const usual = ['nanoGPT', 'nanoRWKV'].flatMap((project) =>
    ['.', '..']
      .map((folder) => path.join(folder, project, 'model.py'))
      .filter((file) => existsSync(file))
      .slice(0, 1),
  );
  const files = named.length > 0 ? named : usual;
  if (files.length === 0)
    throw new UsageError(
      'There is no model file: clone https://github.com/karpathy/nanoGPT and https://github.com/BlinkDL/nanoRWKV into this folder, or name files with npm run bench:pytorch -- FILE.py.',
    );
  return files.map((file) => path.resolve(file));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string', multiple: true },
      expression: { type: 'string' },
      contexts: { type: 'string', default: '256,1024,2048' },
      tokens: { type: 'string', default: '4096' },
      vocab: { type: 'string', default: '65' },
      samples: { type: 'string', default: '5' },
      eager: { type: 'boolean', default: false },
      python: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const cached = path.join('.cache', 'python', 'bin', 'python');
  const python =
    values.python ?? process.env['CROSSOVER_PYTHON'] ?? (existsSync(cached) ? cached : 'python3');
  const chosen = filesOf([...(values.file ?? []), ...positionals]).map((file) => ({
    file,
    expression: values.expression ?? nano,
  }));
  const terminal = systemTerminal();
  const results = [];
  for (const model of chosen) {
    for (const context of values.contexts.split(',').map(Number)) {
      const batch = Math.round(Number(values.tokens) / context);
      terminal.err(`${path.basename(model.file)} at context ${context}, batch ${batch}\n`);
      const one = { ...model, context, batch, vocab: Number(values.vocab) };
      results.push(await measure(python, one, Number(values.samples), values.eager));
    }
  }
  if (values.json) {
    terminal.out(`${JSON.stringify({ results })}\n`);
    return;
  }
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  const rows = results.map((result) => [
    result.model,
    String(result.context),
    seconds(result.pytorchMs),
    seconds(result.crossoverMs),
    result.ratio.toFixed(2),
    megabytes(result.pytorchResidentBytes),
    megabytes(result.crossoverResidentBytes),
    result.residentRatio.toFixed(2),
  ]);
  const name = values.eager ? 'eager execution' : 'torch.compile';
  terminal.out(
    `Median time of a whole training step, then peak resident memory of the process;\nPyTorch with ${name}.\n` +
      table(
        terminal,
        ['Model', 'Context', 'PyTorch', 'Crossover', 'Ratio', 'PyTorch', 'Crossover', 'Ratio'],
        rows,
      ),
  );
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 3;
}
