/** The architectures of the zoo: how each is built, and how many parameters it has, for a depth and a width. */

export interface Shape {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
}

export interface Architecture {
  readonly name: string;
  /** The paper. */
  readonly reference: string;
  /** Widths are multiples of this; that of a head where there are heads. 64 when left out. */
  readonly widthStep?: number;
  /** Heads at a width; as many as `headSize` goes into it when left out. */
  heads?(width: number): number;
  /** Parameters of all blocks and the last norm, as the file makes them: no embeddings, no output head. */
  parameters(layers: number, width: number): number;
  /** Builds the model; T and V are defined by the tracer. */
  expression(shape: Shape): string;
}

/** Head size of the zoo's models. */
export const headSize = 64;

/** Inner size of RWKV-7's low-rank matrices, as `rank` in rwkv7.py (Python rounds halves to even). */
function rank(width: number, factor: number): number {
  const exact = (factor * Math.sqrt(width)) / 32;
  const below = Math.floor(exact);
  const even = below % 2 === 0 ? below : below + 1;
  return Math.max(32, 32 * (exact - below === 0.5 ? even : Math.round(exact)));
}

/** The divisor of a whole number that is nearest, by ratio, to another. */
function nearestDivisor(of: number, wanted: number): number {
  const divisors = Array.from({ length: of }, (_, i) => i + 1).filter((n) => of % n === 0);
  const apart = (n: number): number => Math.abs(Math.log(n / wanted));
  return divisors.reduce((best, n) => (apart(n) < apart(best) ? n : best));
}

/** Heads of keys and values for a number of query heads: a quarter, as in Llama 3 and Mistral, or the nearest divisor. */
const keyHeads = (heads: number): number => nearestDivisor(heads, heads / 4);

/** RetNet's heads have 256 channels of keys; narrow models have four, so that there are several rates of decay. */
const retnetHeads = (width: number): number =>
  nearestDivisor((4 * width) / headSize, Math.max(4, width / 256));

/** Inner size of a SwiGLU layer, 8/3 of the width, rounded up to whole heads here. */
const gatedSize = (width: number): number => Math.ceil(Math.floor((8 * width) / 3) / headSize) * headSize;

/** Parameters of Llama's blocks and last norm. */
function llamaParameters(layers: number, width: number): number {
  const kv = headSize * keyHeads(width / headSize);
  return layers * (2 * width ** 2 + 2 * width * kv + 3 * width * gatedSize(width) + 2 * width) + width;
}

const llamaSizes = ({ layers, width, heads }: Shape): string =>
  `dim=${width}, n_layers=${layers}, n_heads=${heads}, n_kv_heads=${keyHeads(heads)}, vocab_size=V, multiple_of=${headSize}`;

/** Parameters of Mamba's mixer and the norm before it: twice the width inside, 16 states, steps of a sixteenth's rank. */
function mambaLayer(width: number): number {
  const [inner, states, rank] = [2 * width, 16, Math.ceil(width / 16)];
  const projections = 3 * width * inner + inner * (rank + 2 * states) + rank * inner;
  // The convolution has four taps and a bias; each channel a bias of its step, paces and D.
  return projections + inner * (5 + 1 + states + 1) + width;
}

/** Parameters of Mamba-2's mixer and the norm before it: twice the width inside, 128 states, one group of B and C. */
function mamba2Layer(width: number): number {
  const [inner, states] = [2 * width, 2 * 128];
  const heads = inner / headSize;
  const projections = width * (2 * inner + states + heads) + inner * width;
  // The convolution has four taps and a bias; each head dt_bias, A_log and D.
  return projections + 5 * (inner + states) + 3 * heads + inner + width;
}

/** Layers of each kind in the hybrid: 8% attention, but one at least, half feed-forward, the others Mamba-2. */
export function hybridLayers(layers: number): Readonly<Record<'attention' | 'mlp' | 'mamba2', number>> {
  const attention = Math.max(1, Math.floor(0.08 * layers + 0.5));
  const mlp = Math.floor(layers / 2);
  return { attention, mlp, mamba2: layers - attention - mlp };
}

/** In the order in which they are shown. */
export const architectures = {
  gpt2: {
    name: 'GPT-2',
    reference: 'Radford et al. 2019, Language Models are Unsupervised Multitask Learners',
    parameters: (layers, width) => layers * (12 * width ** 2 + 2 * width) + width,
    expression: ({ layers, width, heads }) =>
      `GPT2(GPT2Config(block_size=T, vocab_size=V, n_layer=${layers}, n_head=${heads}, n_embd=${width}))`,
  },
  llama: {
    name: 'Llama',
    reference: 'Touvron et al. 2023, Llama 2 (arXiv 2307.09288)',
    parameters: llamaParameters,
    expression: (shape) => `Llama(LlamaConfig(${llamaSizes(shape)}))`,
  },
  mistral: {
    name: 'Mistral',
    reference: 'Jiang et al. 2023, Mistral 7B (arXiv 2310.06825)',
    parameters: llamaParameters,
    expression: (shape) => `Mistral(MistralConfig(${llamaSizes(shape)}, ffn_dim_multiplier=None))`,
  },
  rwkv4: {
    name: 'RWKV-4',
    reference: 'Peng et al. 2023, RWKV: Reinventing RNNs for the Transformer Era (arXiv 2305.13048)',
    // Five square matrices and the feed-forward pair; seven vectors, ln1 and ln2; ln0 and ln_out.
    parameters: (layers, width) => layers * (13 * width ** 2 + 11 * width) + 4 * width,
    expression: ({ layers, width }) => `RWKV4(RWKV4Config(vocab_size=V, n_layer=${layers}, n_embd=${width}))`,
  },
  rwkv5: {
    name: 'RWKV-5',
    reference: 'Peng et al. 2024, Eagle and Finch (arXiv 2404.05892)',
    parameters: (layers, width) => {
      const hidden = Math.floor((3.5 * width) / 32) * 32;
      // Six square matrices, the feed-forward pair, and fourteen vectors with ln1 and ln2; ln0 and ln_out.
      return layers * (6 * width ** 2 + 2 * width * hidden + 14 * width) + 4 * width;
    },
    expression: ({ layers, width }) =>
      `RWKV5(RWKV5Config(vocab_size=V, n_layer=${layers}, n_embd=${width}, head_size=${headSize}))`,
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
  retnet: {
    name: 'RetNet',
    reference: 'Sun et al. 2023, Retentive Network (arXiv 2307.08621)',
    heads: retnetHeads,
    // Queries and keys are square; values, gates and outputs, and the three of the feed-forward layer, are 27/16 as wide.
    parameters: (layers, width) =>
      layers * (2 * width ** 2 + 6 * width * ((27 * width) / 16) + 2 * width) + width,
    expression: ({ layers, width, heads }) =>
      `RetNet(RetNetConfig(vocab_size=V, n_layer=${layers}, n_head=${heads}, n_embd=${width}))`,
  },
  gla: {
    name: 'GLA',
    reference: 'Yang et al. 2023, Gated Linear Attention Transformers (arXiv 2312.06635)',
    heads: () => 4,
    parameters: (layers, width) => {
      // Queries and keys of half the width, and a gate of rank 16 for each of their channels; a norm of one head.
      const attention = 4 * width ** 2 + 16 * width + 17 * (width / 2) + width / 4;
      return layers * (attention + 3 * width * gatedSize(width) + 2 * width) + width;
    },
    expression: ({ layers, width, heads }) =>
      `GLA(GLAConfig(vocab_size=V, n_layer=${layers}, n_head=${heads}, n_embd=${width}, multiple_of=${headSize}))`,
  },
  deltanet: {
    name: 'Gated DeltaNet',
    reference: 'Yang et al. 2024, Gated Delta Networks (arXiv 2412.06464)',
    parameters: (layers, width) => {
      const heads = width / headSize;
      // Keys and queries of 3/4 of the width, three matrices of 3/2; two numbers per head from the data and two of its
      // own; four taps for each convolved channel; a norm of one head.
      const attention = 6 * width ** 2 + 2 * heads * (width + 1) + 12 * width + (3 * width) / (2 * heads);
      return layers * (attention + 3 * width * gatedSize(width) + 2 * width) + width;
    },
    expression: ({ layers, width, heads }) =>
      `GatedDeltaNet(GatedDeltaNetConfig(vocab_size=V, n_layer=${layers}, n_head=${heads}, n_embd=${width}, multiple_of=${headSize}))`,
  },
  lstm: {
    name: 'LSTM',
    reference: 'Hochreiter and Schmidhuber 1997, Long Short-Term Memory',
    // Two matrices and two biases for four gates, and a norm; the last norm.
    parameters: (layers, width) => layers * (8 * width ** 2 + 10 * width) + 2 * width,
    expression: ({ layers, width }) => `LSTM(LSTMConfig(vocab_size=V, n_layer=${layers}, n_embd=${width}))`,
  },
  mamba: {
    name: 'Mamba',
    reference: 'Gu and Dao 2023, Mamba (arXiv 2312.00752)',
    parameters: (layers, width) => layers * mambaLayer(width) + width,
    expression: ({ layers, width }) =>
      `Mamba(MambaConfig(vocab_size=V, n_layer=${layers}, d_model=${width}))`,
  },
  mamba2: {
    name: 'Mamba-2',
    reference: 'Dao and Gu 2024, Transformers are SSMs (arXiv 2405.21060)',
    heads: (width) => (2 * width) / headSize,
    parameters: (layers, width) => layers * mamba2Layer(width) + width,
    expression: ({ layers, width }) =>
      `Mamba2(Mamba2Config(vocab_size=V, n_layer=${layers}, d_model=${width}))`,
  },
  mamba2_hybrid: {
    name: 'Mamba-2 Hybrid',
    reference: 'Waleffe et al. 2024, An Empirical Study of Mamba-based Language Models (arXiv 2406.07887)',
    parameters: (layers, width) => {
      const { attention, mlp, mamba2 } = hybridLayers(layers);
      if (mamba2 < 1) return Infinity;
      const kv = headSize * keyHeads(width / headSize);
      // With the norm before each.
      const attentionLayer = 2 * width ** 2 + 2 * width * kv + width;
      const mlpLayer = 8 * width ** 2 + width;
      return attention * attentionLayer + mlp * mlpLayer + mamba2 * mamba2Layer(width) + width;
    },
    expression: ({ layers, width, heads }) =>
      `Mamba2Hybrid(Mamba2HybridConfig(vocab_size=V, n_layer=${layers}, d_model=${width}, ngroups=1, ` +
      `n_head=${heads}, n_kv_head=${keyHeads(heads)}))`,
  },
} as const satisfies Readonly<Record<string, Architecture>>;

export type ZooId = keyof typeof architectures;
