/** An experiment: what to measure. A JSON document that can be committed and rerun. */

export interface ModelSpec {
  /** Zoo id, or `FILE.py::EXPRESSION`. */
  readonly source: string;
  /** Shown in tables; made from the source when left out. */
  readonly label?: string;
  /** Python expression of the forward call, e.g. `model(idx, targets)`. */
  readonly call?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Python expression run after construction with `model` defined. */
  readonly init?: string;
  /** Weights to start from, a checkpoint; left out, the model's own initialisation. */
  readonly weights?: string;
  /** Attention heads of a zoo model whose checkpoint does not say them. */
  readonly heads?: number;
}

export interface DataSpec {
  /** File or folder of text; left out, the embedded corpus (text found on this machine). */
  readonly path?: string;
  readonly tokenizer: 'byte' | 'gpt2' | 'rwkv';
  /** Vocabulary file of `gpt2` (encoder.json, merges beside it) and `rwkv`. */
  readonly vocabulary?: string;
}

export interface TimingSpec {
  readonly contexts: readonly number[];
  readonly tokensPerStep: number;
  /** At least 5. */
  readonly samples: number;
}

/** Token by token after a prompt, one sequence at a time. */
export interface DecodeSpec {
  /** Lengths of the prompt, tokens. */
  readonly contexts: readonly number[];
  /** At least 5. */
  readonly samples: number;
}

export interface TrainSpec {
  readonly context: number;
  readonly batch: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly minLearningRate?: number;
  readonly warmupSteps?: number;
  readonly weightDecay?: number;
  /** 0: no clipping. */
  readonly clip?: number;
  readonly seeds: readonly number[];
  /** Held-out loss every so many steps. */
  readonly evalEvery?: number;
}

export interface MqarSpec {
  readonly kind: 'mqar';
  readonly context: number;
  readonly pairs: number;
  readonly vocab: number;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seeds: readonly number[];
}

export interface HeldOutSpec {
  readonly kind: 'heldout';
}

export type EvalSpec = MqarSpec | HeldOutSpec;

export interface Experiment {
  readonly version: 1;
  readonly title?: string;
  readonly models: readonly ModelSpec[];
  readonly device: string;
  readonly precision: 'fp32' | 'bf16';
  readonly vocab: number;
  readonly threads?: number;
  readonly data?: DataSpec;
  readonly timing?: TimingSpec;
  readonly decode?: DecodeSpec;
  readonly train?: TrainSpec;
  readonly evals?: readonly EvalSpec[];
}
