/** The default comparison: GPT-2 beside RWKV-7, small enough for two cores and a few minutes. */
import type { Experiment } from './experiment.js';

export const DEFAULT_MODELS = ['gpt2', 'rwkv7'] as const;
export const DEFAULT_CONTEXTS = [128, 256, 512, 1024, 2048, 4096] as const;
/** Lengths of the prompt after which decoding is timed. */
export const DEFAULT_DECODE_CONTEXTS = [256, 1024, 4096] as const;
export const DEFAULT_TOKENS_PER_STEP = 4096;
export const DEFAULT_SAMPLES = 5;
/** Every byte is a token. */
export const DEFAULT_VOCAB = 256;
const DEFAULT_SIZE = '1.2M';

/** What `npm start` and `crossover compare` without models run. */
export function defaultComparison(): Experiment {
  return {
    version: 1,
    title: 'GPT-2 and RWKV-7',
    models: DEFAULT_MODELS.map((id) => ({ source: `${id}:${DEFAULT_SIZE}` })),
    device: 'cpu',
    precision: 'fp32',
    vocab: DEFAULT_VOCAB,
    data: { tokenizer: 'byte' },
    timing: {
      contexts: DEFAULT_CONTEXTS,
      tokensPerStep: DEFAULT_TOKENS_PER_STEP,
      samples: DEFAULT_SAMPLES,
    },
    decode: { contexts: DEFAULT_DECODE_CONTEXTS, samples: DEFAULT_SAMPLES },
    train: {
      context: 256,
      batch: 8,
      steps: 90,
      learningRate: 2e-3,
      weightDecay: 0.1,
      clip: 1,
      seeds: [1, 2],
      evalEvery: 30,
    },
    evals: [
      { kind: 'heldout' },
      {
        kind: 'mqar',
        context: 64,
        pairs: 4,
        vocab: 128,
        steps: 100,
        batch: 32,
        learningRate: 3e-3,
        seeds: [1],
      },
    ],
  };
}
