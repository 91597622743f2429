/** The models that ship: which file, which expression, and how wide and deep they are for a number of parameters. */
import { distPath } from '../paths.js';
import { architectures, headSize, type Architecture, type Shape, type ZooId } from './architectures.js';

export type { Shape, ZooId } from './architectures.js';

export interface ZooModel {
  readonly id: ZooId;
  /** Architecture and size, e.g. `RWKV-7 7x192`. */
  readonly label: string;
  /** Absolute path of the PyTorch file. */
  readonly file: string;
  /** Builds the model; T and V are defined by the tracer. */
  readonly expression: string;
  readonly call: string;
  /** The paper. */
  readonly reference: string;
  readonly shape: Shape;
  /** Parameters outside the embeddings and the output head. */
  readonly parameters: number;
}

/** About 3.5 million: a step takes a fraction of a second on two cores, and the models are matched within 1%. */
export const defaultParameters = 3_500_000;

export function zooIds(): ZooId[] {
  return Object.keys(architectures) as ZooId[];
}

/** Sizes closer than this are taken as equal, and the proportions decide. */
const matched = 0.013;

/**
 * Width and depth for a number of parameters: near to it, and near to GPT-2's proportions (12 layers at 768 wide,
 * fewer in narrower models).
 */
function shapeFor(architecture: Architecture, parameters: number): Shape {
  const step = architecture.widthStep ?? headSize;
  const heads = (width: number): number =>
    architecture.heads?.(width) ?? Math.max(1, Math.floor(width / headSize));
  let best: Shape = { layers: 2, width: step, heads: heads(step) };
  let bestScore = Infinity;
  for (let width = step; width <= 8192; width += step) {
    const usualLayers = 12 * (width / 768) ** 0.3;
    for (let layers = 2; layers <= 128; layers++) {
      const mismatch = Math.abs(Math.log(architecture.parameters(layers, width) / parameters));
      const score = Math.abs(Math.log(layers / usualLayers)) + 40 * Math.max(0, mismatch - matched);
      if (score < bestScore) [best, bestScore] = [{ layers, width, heads: heads(width) }, score];
    }
  }
  return best;
}

/**
 * A zoo model of about as many parameters (outside embeddings and head) as asked for; shapes come in whole layers and
 * whole heads, so it is the nearest one.
 */
export function zooModel(id: ZooId, options: { readonly parameters?: number } = {}): ZooModel {
  const architecture: Architecture = architectures[id];
  const shape = shapeFor(architecture, options.parameters ?? defaultParameters);
  return {
    id,
    label: `${architecture.name} ${shape.layers}x${shape.width}`,
    file: distPath('zoo', `${id}.py`),
    expression: architecture.expression(shape),
    call: 'model(idx, targets)',
    reference: architecture.reference,
    shape,
    parameters: architecture.parameters(shape.layers, shape.width),
  };
}

/** The zoo model of that id at a size, or `null` where there is none of that id. */
export function findZooModel(id: string, options: { readonly parameters?: number } = {}): ZooModel | null {
  return Object.hasOwn(architectures, id) ? zooModel(id as ZooId, options) : null;
}
