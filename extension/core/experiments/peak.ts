/** The matrix-product peak of this machine, measured in this run: what a share of peak is a share of. */
import type { NativeSession } from '../engine/binding.js';
import { type Program, SEGMENTS, type TensorRef } from '../compiler/program.js';
import { serialize } from '../compiler/serialize.js';

const SIZE = 1536;
const RUNS = 6;

/** Best FLOP/s of a square fp32 matrix product, 2 per multiply-add. */
export async function measurePeak(session: NativeSession, signal: AbortSignal): Promise<number> {
  const bytes = SIZE * SIZE * 4;
  const matrix = (index: number): TensorRef => ({
    segment: 'io',
    storage: 'f32',
    byteOffset: index * bytes,
    shape: [SIZE, SIZE],
    strides: [SIZE, 1],
  });
  const program: Program = {
    stateBytes: 0,
    arenaBytes: 0,
    ioBytes: 3 * bytes,
    tensors: [matrix(0), matrix(1), matrix(2)],
    instructions: [
      { op: 'matmul', phase: 'forward', operands: [0, 1, 2, -1, -1], ints: [0, 0], floats: [1] },
    ],
    constants: new Uint8Array(0),
  };
  const state = session.createState(0);
  const native = session.loadProgram(serialize(program), state);
  try {
    const filled = new Uint8Array(new Float32Array(SIZE * SIZE).fill(0.5).buffer);
    for (const index of [1, 2]) native.write(SEGMENTS.indexOf('io'), index * bytes, filled);
    let best = Infinity;
    for (let i = 0; i < RUNS; i++) {
      signal.throwIfAborted();
      best = Math.min(best, (await native.run()).totalNs);
    }
    return (2 * SIZE ** 3) / (best / 1e9);
  } finally {
    native.dispose();
    state.dispose();
  }
}
