/** Small graphs for tests of the compiler, and arrays to run them with. */
import { GraphBuilder } from '../../extension/core/compiler/build.js';
import type {
  CustomVjp,
  DType,
  Graph,
  StateTensor,
  Trace,
  ValueId,
} from '../../extension/core/compiler/graph.js';
import type { NdArray } from '../../extension/core/compiler/ops/operation.js';
import { elementCount } from '../../extension/core/compiler/shapes.js';

export const EMPTY_TABLES = { files: [], spans: [], stacks: [[]], scopes: [''], constants: [] };

/** A generator of numbers in [0, 1) (mulberry32), so that failures repeat. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function randomArray(shape: readonly number[], random: () => number, low = -1.5, high = 1.5): NdArray {
  return {
    shape,
    data: Float64Array.from({ length: elementCount(shape) }, () => low + (high - low) * random()),
  };
}

/** Builds a graph whose float sources are parameters and whose integer sources are inputs. */
export class TestGraph extends GraphBuilder {
  readonly state: StateTensor[] = [];
  readonly stateArrays: NdArray[] = [];
  readonly inputs: Record<string, NdArray> = {};
  readonly customs: CustomVjp[] = [];

  constructor() {
    super(EMPTY_TABLES);
  }

  parameter(
    array: NdArray,
    options: { requiresGrad?: boolean; kind?: StateTensor['kind']; initial?: ValueId } = {},
  ): ValueId {
    const index = this.state.length;
    const { requiresGrad = true, kind = 'parameter', initial = -1 } = options;
    const type = { dtype: 'f32', shape: array.shape } as const;
    this.state.push({ kind, name: `p${index}`, names: [`p${index}`], type, requiresGrad, initial });
    this.stateArrays.push(array);
    return this.one('state', [], { index }, type);
  }

  input(name: string, array: NdArray, dtype: DType = 'i64'): ValueId {
    this.inputs[name] = array;
    return this.one('input', [], { name }, { dtype, shape: array.shape });
  }

  trace(outputs: Graph['outputs'], init: Graph = new GraphBuilder(EMPTY_TABLES).finish({})): Trace {
    return {
      init,
      forward: this.finish(outputs, this.customs),
      state: this.state,
      optimizer: null,
      context: 0,
      batch: 0,
      vocab: 0,
      log: '',
    };
  }

  feeds(): { state: NdArray[]; inputs: Record<string, NdArray> } {
    return { state: this.stateArrays, inputs: this.inputs };
  }
}

/** Largest difference relative to the larger magnitude (at least 1); NaN where either is NaN. */
export function largestDifference(a: NdArray, b: NdArray): number {
  if (a.data.length !== b.data.length) return NaN;
  let worst = 0;
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [a.data[i]!, b.data[i]!];
    if (x === y) continue;
    const difference = Math.abs(x - y) / Math.max(1, Math.abs(x), Math.abs(y));
    if (!(difference <= worst)) worst = difference;
    if (Number.isNaN(worst)) return NaN;
  }
  return worst;
}
