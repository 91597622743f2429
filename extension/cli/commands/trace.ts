import type { Command } from '../command.js';
import { LAUNCH_OPTIONS, machineOf, MODEL_DETAILS, modelOf, VOCAB_OPTION } from '../options.js';
import type { Terminal } from '../terminal.js';
import { table } from '../text/table.js';
import { bytesText, countText, flopsText, significant } from '../text/units.js';
import { withEngine } from '../withEngine.js';
import type { Description } from '../../core/engine/requests.js';

/** What a training step consists of, without running it. */
export const trace: Command = {
  name: 'trace',
  summary: 'Traces and compiles a model: parameters, operations, FLOPs and memory, per line. Nothing is run.',
  usage: 'MODEL [options]',
  details: MODEL_DETAILS,
  options: [
    { name: 'context', value: 'T', help: 'tokens per sequence; default 256' },
    { name: 'batch', value: 'B', help: 'sequences per step; default 16' },
    VOCAB_OPTION,
    { name: 'precision', value: 'P', help: 'fp32 (default) or bf16' },
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal) {
    const model = modelOf(args, 'trace');
    const { vocab, precision } = machineOf(args);
    const context = args.whole('context', 1) ?? 256;
    const batch = args.whole('batch', 1) ?? 16;
    const found = await withEngine((engine) =>
      engine.ask<'describe'>({
        method: 'describe',
        model,
        root: process.cwd(),
        context,
        batch,
        vocab,
        precision,
      }),
    );
    if (args.has('json'))
      terminal.out(`${JSON.stringify({ source: model.source, context, batch, vocab, ...found })}\n`);
    else terminal.out(text(terminal, found, context, batch));
    if (found.log !== '') terminal.err(found.log.endsWith('\n') ? found.log : `${found.log}\n`);
    return 0;
  },
};

function text(terminal: Terminal, found: Description, context: number, batch: number): string {
  const facts = [
    [`${found.label} at context ${context}, batch ${batch}`, ''],
    ['Parameters', countText(found.parameters)],
    ['Operations traced', String(found.nodes)],
    ['Kernel calls per step', String(found.instructions)],
    ['Forward', flopsText(found.flopsForward)],
    ['Backward', flopsText(found.flopsBackward)],
    ['Peak memory', bytesText(found.peakBytes)],
    ['Tracing, compiling', `${significant(found.traceMs)} ms, ${significant(found.compileMs)} ms`],
  ];
  const total = found.flopsForward + found.flopsBackward;
  const rows = [...found.lines]
    .sort((a, b) => b.flopsForward + b.flopsBackward - a.flopsForward - a.flopsBackward)
    .slice(0, 20)
    .map(({ file, line, flopsForward, flopsBackward, bytes }) => [
      `${file.split(/[/\\]/).at(-1)}:${line}`,
      flopsText(flopsForward),
      flopsText(flopsBackward),
      `${(((flopsForward + flopsBackward) / total) * 100).toFixed(1)}%`,
      bytesText(bytes),
    ]);
  const head = facts.map(([name, value]) => `${name!.padEnd(24)}${value}`.trimEnd()).join('\n');
  return `${head}\n\n${table(terminal, ['Line', 'Forward', 'Backward', 'Share', 'Bytes moved'], rows)}`;
}
