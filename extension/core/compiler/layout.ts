/** Where the state of a model stands in memory. A pure function of the trace, shared by all of its programs. */
import type { StateLayout, StatePlace } from './compiled.js';
import type { StateTensor } from './graph.js';
import { STORAGE_BYTES, storageOf } from './lower/kernel.js';
import { product } from './lower/view.js';

/** Every tensor starts on a cache line. */
export const ALIGNMENT = 64;

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

const KINDS = ['parameter', 'buffer', 'constant'] as const;

/** Parameters, then buffers, then constants, then the two AdamW moments of every trained parameter. */
export function layoutState(state: readonly StateTensor[]): StateLayout {
  const tensors = new Array<StatePlace>(state.length);
  let next = 0;
  for (const kind of KINDS) {
    for (const [index, tensor] of state.entries()) {
      if (tensor.kind !== kind) continue;
      const storage = storageOf(tensor.type.dtype);
      tensors[index] = { name: tensor.name, byteOffset: next, shape: tensor.type.shape, storage };
      next += align(product(tensor.type.shape) * STORAGE_BYTES[storage]);
    }
  }
  const moments = new Map<number, { first: number; second: number }>();
  for (const [index, tensor] of state.entries()) {
    if (!isTrained(tensor)) continue;
    const bytes = align(product(tensor.type.shape) * STORAGE_BYTES.f32);
    moments.set(index, { first: next, second: next + bytes });
    next += 2 * bytes;
  }
  return { byteLength: next, tensors, moments };
}

/** Whether the optimizer may change it: a float parameter that requires a gradient. */
export function isTrained(tensor: StateTensor): boolean {
  return tensor.kind === 'parameter' && tensor.requiresGrad && storageOf(tensor.type.dtype) === 'f32';
}
