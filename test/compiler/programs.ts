/** Compiles graphs of tests and runs the programs in the reference executor. */
import { compile } from '../../extension/core/compiler/compile.js';
import type { CompileOptions, Compiled, IoPlace } from '../../extension/core/compiler/compiled.js';
import { ReferenceProgram } from '../../extension/core/compiler/execute/execute.js';
import type { Trace } from '../../extension/core/compiler/graph.js';
import type { NdArray } from '../../extension/core/compiler/ops/operation.js';

/** Copies state and inputs into a program's segments. */
export function feed(
  program: ReferenceProgram,
  compiled: Compiled,
  state: readonly NdArray[],
  inputs: Readonly<Record<string, NdArray>>,
): void {
  for (const [index, place] of compiled.layout.tensors.entries()) {
    store(program.segments.state, place, state[index]!);
  }
  for (const [name, place] of Object.entries(compiled.inputs))
    store(program.segments.io, place, inputs[name]!);
}

function store(segment: ArrayBuffer, place: IoPlace, array: NdArray): void {
  const { byteOffset, storage } = place;
  const { length } = array.data;
  if (storage === 'f32') new Float32Array(segment, byteOffset, length).set(array.data);
  else if (storage === 'u8') new Uint8Array(segment, byteOffset, length).set(array.data);
  else new BigInt64Array(segment, byteOffset, length).set([...array.data].map(BigInt));
}

export function load(segment: ArrayBuffer, place: IoPlace): NdArray {
  const count = place.shape.reduce((total, size) => total * size, 1);
  return { shape: place.shape, data: Float64Array.from(new Float32Array(segment, place.byteOffset, count)) };
}

/** Compiles and runs once (`hyper`: learning rate, step, gradient-norm limit, unused); results by name, gradients as `grad.<index>`. */
export function compileAndRun(
  trace: Trace,
  options: CompileOptions,
  state: readonly NdArray[],
  inputs: Readonly<Record<string, NdArray>>,
  hyper: readonly number[] = [0, 1, 0, 0],
): { compiled: Compiled; program: ReferenceProgram; results: Record<string, NdArray> } {
  const compiled = compile(trace, options);
  const program = new ReferenceProgram(compiled.program);
  feed(program, compiled, state, inputs);
  if (compiled.hyper) program.f32('io', compiled.hyper.byteOffset, 4).set(hyper);
  program.run();
  const results: Record<string, NdArray> = {};
  for (const [name, place] of Object.entries(compiled.outputs))
    results[name] = load(program.segments.io, place);
  for (const [index, place] of compiled.gradients)
    results[`grad.${index}`] = load(program.segments.io, place);
  return { compiled, program, results };
}
