/**
 * `npm run bench:pytorch`: the same model files under PyTorch with torch.compile and under Crossover, step by step in
 * turn, side by side. The files are other people's and are not shipped: nanoGPT's and nanoRWKV's model.py by default.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../extension/cli/text/table.js';
import { systemTerminal } from '../extension/cli/terminal.js';
import { resolveModel } from '../extension/core/experiments/modelSource.js';
import { UsageError } from '../extension/core/experiments/usageError.js';
import { zooIds } from '../extension/core/experiments/zoo.js';
import { median } from '../extension/core/stats/estimate.js';
import { type Case, crossover, fastestPytorch, pytorch, type Side } from './benchSides.js';

const help = `npm run bench:pytorch -- [FILE.py...] [options]
npm run bench:pytorch -- --zoo [ID...] [options]

Times whole training steps (AdamW and clipping included) of each file under torch.compile and under Crossover, in turn.
Without files it takes nanoGPT/model.py and nanoRWKV/model.py, in this folder or beside it. With --zoo it takes zoo models,
all of them unless some are named, and whichever of torch.compile and eager execution is faster.

  --expression E     builds the model; default GPT(GPTConfig(...)) with 6 layers, 6 heads, width 384
  --parameters N     of zoo models; default 10M
  --compile-limit S  seconds for torch.compile to give its second step of a zoo model; default 120
  --contexts N,N...  default 256,1024,2048; of zoo models 256,2048
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

interface Way {
  readonly samples: number;
  /** How PyTorch runs; by a number of seconds, the fastest way whose second step comes in that time. */
  readonly pytorch: 'torch.compile' | 'eager' | number;
}

async function measure(python: string, one: Case, { samples, pytorch: asked }: Way) {
  const sides: Side[] = [];
  let how: 'torch.compile' | 'eager';
  try {
    if (typeof asked === 'number') {
      const fastest = await fastestPytorch(python, one, asked);
      sides.push(fastest.side);
      how = fastest.how;
    } else {
      sides.push(await pytorch(python, one, asked === 'eager'));
      how = asked;
    }
    sides.push(await crossover(one));
    const times: [number[], number[]] = [[], []];
    const resident = [0, 0];
    const cold = typeof asked === 'number' ? sides.slice(1) : sides;
    for (const side of cold) await side.steps(WARM_UP);
    for (let round = 0; round < samples; round++) {
      for (const [index, side] of sides.entries()) {
        const { ms, resident: bytes } = await side.steps(1);
        times[index]!.push(...ms);
        resident[index] = bytes;
      }
    }
    const [theirs, ours] = times;
    return {
      model: one.label,
      pytorch: how,
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

type Model = Pick<Case, 'label' | 'file' | 'expression'>;

/** Zoo models of so many parameters. Throws {@link UsageError} for one that is not in the zoo. */
function zooModels(named: readonly string[], parameters: string): Model[] {
  return (named.length > 0 ? named : zooIds()).map((id) => {
    const { file, expression } = resolveModel({ source: `${id}:${parameters}` }, process.cwd());
    return { label: id, file, expression };
  });
}

/** The files that were named, or those of the two projects where they are found. Throws one sentence when there is none. */
function filesOf(named: readonly string[], expression: string): Model[] {
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
  return files.map((name) => {
    const file = path.resolve(name);
    return {
      label: path.join(path.basename(path.dirname(file)), path.basename(file)),
      file,
      expression,
    };
  });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string', multiple: true },
      expression: { type: 'string' },
      zoo: { type: 'boolean', default: false },
      parameters: { type: 'string', default: '10M' },
      'compile-limit': { type: 'string', default: '120' },
      contexts: { type: 'string' },
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
  const chosen = values.zoo
    ? zooModels(positionals, values.parameters)
    : filesOf([...(values.file ?? []), ...positionals], values.expression ?? nano);
  const way = values.eager ? 'eager' : values.zoo ? Number(values['compile-limit']) : 'torch.compile';
  const contexts = values.contexts ?? (values.zoo ? '256,2048' : '256,1024,2048');
  const terminal = systemTerminal();
  const results = [];
  for (const model of chosen) {
    for (const context of contexts.split(',').map(Number)) {
      const batch = Math.round(Number(values.tokens) / context);
      terminal.err(`${model.label} at context ${context}, batch ${batch}\n`);
      const one = { ...model, context, batch, vocab: Number(values.vocab) };
      results.push(await measure(python, one, { samples: Number(values.samples), pytorch: way }));
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
    ...(values.zoo ? [result.pytorch === 'eager' ? 'eager' : 'compiled'] : []),
    seconds(result.pytorchMs),
    seconds(result.crossoverMs),
    result.ratio.toFixed(2),
    megabytes(result.pytorchResidentBytes),
    megabytes(result.crossoverResidentBytes),
    result.residentRatio.toFixed(2),
  ]);
  const name = values.eager ? 'eager execution' : values.zoo ? 'whichever way is faster' : 'torch.compile';
  terminal.out(
    `Median time of a whole training step, then peak resident memory of the process;\nPyTorch with ${name}.\n` +
      table(
        terminal,
        [
          'Model',
          'Context',
          ...(values.zoo ? ['By'] : []),
          ...['PyTorch', 'Crossover', 'Ratio', 'PyTorch', 'Crossover', 'Ratio'],
        ],
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
