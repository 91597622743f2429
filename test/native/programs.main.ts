/**
 * Writes real programs for the sanitized native tests: `node dist/test/native/programs.main.js FOLDER`. Every zoo model, small:
 * `MODEL.0.bin` initialises its weights, `MODEL.1.bin` is a training step, and so on for a decoder (`MODEL-decoder.0.bin` ..).
 * So does the model of Fourier transforms, which no zoo model has, without a decoder.
 * Programs of one name share one state and run in the order of their numbers; their inputs may be zero.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compile, compileInit } from '../../extension/core/compiler/compile.js';
import { compileDecoder } from '../../extension/core/compiler/decode/compileDecoder.js';
import { parameterGroups } from '../../extension/core/compiler/optimizer.js';
import { zooIds, zooModel } from '../../extension/core/experiments/zoo.js';
import { createTracer } from '../../extension/core/trace/process.js';
import type { TraceRequest } from '../../extension/core/trace/tracer.js';

/** Not a multiple of any chunk or vector, and longer than a chunk. */
const CONTEXT = 35;
const VOCAB = 19;

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder that the programs are written to.');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

function write(name: string, programs: readonly { readonly program: Uint8Array }[]): void {
  programs.forEach(({ program }, i) => {
    writeFileSync(path.join(folder!, `${name}.${i}.bin`), program);
  });
}

const tracer = createTracer();

/** The weights' first values and one training step. */
async function trainedPrograms(where: Omit<TraceRequest, 'batch'>): Promise<{ program: Uint8Array }[]> {
  const trace = await tracer.trace({ ...where, batch: 2 });
  const trained = { ...trace, optimizer: parameterGroups(trace) };
  return [compileInit(trained), compile(trained, { mode: 'train', precision: 'fp32' })];
}

try {
  for (const id of zooIds()) {
    const { file, expression, call } = zooModel(id, { parameters: 100_000 });
    const where = { file, expression, call, context: CONTEXT, vocab: VOCAB };
    write(id, await trainedPrograms(where));
    const decoder = compileDecoder(await tracer.trace({ ...where, batch: 1, targets: false }), 'fp32');
    write(`${id}-decoder`, [decoder.init, decoder.reset, decoder.window(11), decoder.window(1)]);
  }
  const file = path.resolve('test', 'fixtures', 'models', 'fourier.py');
  const where = { file, expression: 'Fourier(V)', context: CONTEXT, vocab: VOCAB };
  write('fourier', await trainedPrograms(where));
} finally {
  tracer.dispose();
}
