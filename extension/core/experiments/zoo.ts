/** The models that ship: which file, which expression, and how wide and deep they are for a number of parameters. */
import { distPath } from '../paths.js';

export type ZooId = 'gpt2' | 'rwkv6' | 'rwkv7';

export interface Shape {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
}

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

interface Architecture {
  readonly name: string;
  readonly reference: string;
  /** Parameters of all blocks and the last norm, as the file makes them. */
  parameters(layers: number, width: number): number;
  expression(shape: Shape): string;
}

/** Head size of the zoo's models. */
const headSize = 64;

/** About 3.5 million: a step takes a fraction of a second on two cores, and the models are matched within 1%. */
export const defaultParameters = 3_500_000;

/** Inner size of RWKV-7's low-rank matrices, as `rank` in rwkv7.py (Python rounds halves to even). */
function rank(width: number, factor: number): number {
  const exact = (factor * Math.sqrt(width)) / 32;
  const below = Math.floor(exact);
  const even = below % 2 === 0 ? below : below + 1;
  return Math.max(32, 32 * (exact - below === 0.5 ? even : Math.round(exact)));
}

const architectures: Readonly<Record<ZooId, Architecture>> = {
  gpt2: {
    name: 'GPT-2',
    reference: 'Radford et al. 2019, Language Models are Unsupervised Multitask Learners',
    parameters: (layers, width) => layers * (12 * width ** 2 + 2 * width) + width,
    expression: ({ layers, width, heads }) =>
      `GPT2(GPT2Config(block_size=T, vocab_size=V, n_layer=${layers}, n_head=${heads}, n_embd=${width}))`,
  },
  rwkv6: {
    name: 'RWKV-6',
    reference: 'Peng et al. 2024, Eagle and Finch (arXiv 2404.05892)',
    parameters: (layers, width) => {
      const hidden = Math.floor((3.5 * width) / 32) * 32;
      // Six square matrices, the feed-forward pair, ranks 32 (five ways) and 64, and sixteen vectors with ln1 and ln2.
      return (
        layers * (6 * width ** 2 + 2 * width * hidden + (5 * 32 * 2 + 64 * 2) * width + 16 * width) +
        4 * width
      );
    },
    expression: ({ layers, width }) =>
      `RWKV6(RWKV6Config(vocab_size=V, n_layer=${layers}, n_embd=${width}, head_size=${headSize}))`,
  },
  rwkv7: {
    name: 'RWKV-7',
    reference: 'Peng et al. 2025, RWKV-7 "Goose" (arXiv 2503.14456)',
    parameters: (layers, width) => {
      const value = rank(width, 1.7);
      const ranks = 2 * rank(width, 2.5) + value + rank(width, 5);
      const block = 12 * width ** 2 + 19 * width + 2 * width * ranks;
      // The first block has no value residual; ln0 and ln_out stand outside the blocks' formula.
      return layers * block + 4 * width - (2 * value * width + width);
    },
    expression: ({ layers, width }) =>
      `RWKV7(RWKV7Config(vocab_size=V, n_layer=${layers}, n_embd=${width}, head_size=${headSize}))`,
  },
};

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
  let best: Shape = { layers: 2, width: headSize, heads: 1 };
  let bestScore = Infinity;
  for (let width = headSize; width <= 8192; width += headSize) {
    const usualLayers = 12 * (width / 768) ** 0.3;
    for (let layers = 2; layers <= 128; layers++) {
      const mismatch = Math.abs(Math.log(architecture.parameters(layers, width) / parameters));
      const score = Math.abs(Math.log(layers / usualLayers)) + 40 * Math.max(0, mismatch - matched);
      if (score < bestScore) [best, bestScore] = [{ layers, width, heads: width / headSize }, score];
    }
  }
  return best;
}

/**
 * A zoo model of about as many parameters (outside embeddings and head) as asked for; shapes come in whole layers and
 * whole heads, so it is the nearest one.
 */
export function zooModel(id: ZooId, options: { readonly parameters?: number } = {}): ZooModel {
  const architecture = architectures[id];
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
