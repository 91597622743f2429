/** What a run amounts to: the one shape that the panels, the terminal and the HTML report render. Imports nothing. */

/** Median and 95% bootstrap interval. */
export interface Estimate {
  readonly median: number;
  readonly interval: readonly [number, number];
  readonly samples: readonly number[];
}

export interface LineCost {
  /** Absolute path; `''` for the optimizer and other work that belongs to no line. */
  readonly file: string;
  /** From 1; 0 where `file` is `''`. The lines of a point add up to its step. */
  readonly line: number;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly optimizerMs: number;
  /** Share of the whole step, 0..1. */
  readonly share: number;
  readonly flops: number;
  readonly bytes: number;
}

export interface ModuleCost {
  /** Module path; `''` is the root, `optimizer` what belongs to no line. */
  readonly module: string;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly optimizerMs: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Forward, backward, optimizer. */
export type ByPhase = readonly [number, number, number];

/** What a line costs within one module; several modules of a class share its lines. */
export interface PartCost {
  /** Module path; `''` is the root, `optimizer` what belongs to no line. */
  readonly module: string;
  /** As in {@link LineCost}. */
  readonly file: string;
  readonly line: number;
  /** Milliseconds. The parts of a point add up to its step. */
  readonly ms: ByPhase;
  /** Counted from shapes. */
  readonly flops: ByPhase;
  /** Memory traffic: every operand touched once. */
  readonly bytes: ByPhase;
  /** Memory that results of the forward pass hold until the backward pass has read them, bytes. */
  readonly keptBytes: number;
}

export interface TimingPoint {
  readonly model: string;
  readonly context: number;
  readonly batch: number;
  readonly precision: string;
  /** Whole steps, milliseconds. */
  readonly step: Estimate;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly optimizerMs: number;
  readonly peakBytes: number;
  readonly tokensPerSecond: number;
  /** Per step. */
  readonly flops: number;
  readonly flopsPerSecond: number;
  /** Share of the matrix-product peak measured in this run; `null` when none was measured. */
  readonly shareOfPeak: number | null;
  readonly lines: readonly LineCost[];
  readonly modules: readonly ModuleCost[];
  /** Absent in runs of earlier versions. */
  readonly parts?: readonly PartCost[];
}

/** Decoding after a prompt of `context` tokens, one sequence at a time. */
export interface DecodePoint {
  readonly model: string;
  readonly context: number;
  readonly precision: string;
  /** Milliseconds per token. */
  readonly token: Estimate;
  readonly tokensPerSecond: number;
  /** Milliseconds to read the prompt, until the logits of its last token. */
  readonly prompt: Estimate;
  readonly promptTokensPerSecond: number;
  /** What must be kept of the prompt: keys and values, or recurrent states. */
  readonly stateBytes: number;
}

export interface Crossover {
  /** The model that is faster (or better) before the crossing, and after it. */
  readonly before: string;
  readonly after: string;
  /** `context`: of training steps; `decode`: the context of decoded tokens. */
  readonly axis: 'context' | 'decode' | 'tokens' | 'seconds' | 'flops';
  /** `null`: the curves do not cross in the measured range. */
  readonly at: number | null;
  readonly interval: readonly [number, number] | null;
  /** "RWKV-7 is faster from about 3,100 tokens (2,700-3,600)." */
  readonly sentence: string;
}

export interface LossPoint {
  readonly step: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Nats per token. */
  readonly loss: number;
}

export interface LossCurve {
  readonly model: string;
  readonly seed: number;
  /** In the order of the steps; the list grows while the run goes on. */
  readonly points: readonly LossPoint[];
  /** Training FLOPs per token as the compiler counts them (whole steps); `null` in runs that do not say. */
  readonly flopsPerToken: number | null;
  /** Bytes of text per token of the training text: 1 where every byte is a token; `null` in runs that do not say. */
  readonly bytesPerToken: number | null;
  /** Only the extremes of a longer curve are left. */
  readonly thinned?: boolean;
  readonly heldOut: readonly (LossPoint & { readonly bitsPerByte: number | null })[];
}

export interface EvalScore {
  readonly model: string;
  readonly task: string;
  readonly seed: number;
  readonly score: number;
  /** Metric and its direction, e.g. `bits per byte` lower, `accuracy` higher. */
  readonly metric: string;
  readonly higherIsBetter: boolean;
  /** Score of guessing; `null` when there is none. */
  readonly chance: number | null;
  readonly interval: readonly [number, number] | null;
  readonly items: number;
  /** Training tokens seen before the score was taken. */
  readonly tokens: number;
}

/** Questions of an eval and what a model answered, by columns: all are token ids but `distance`. */
export interface EvalAnswers {
  readonly key: readonly number[];
  /** Tokens between a key's value and the question. */
  readonly distance: readonly number[];
  readonly expected: readonly number[];
  readonly answer: readonly number[];
}

/** How a model did on the items of an eval. */
export interface EvalItems {
  readonly model: string;
  readonly task: string;
  readonly seed: number;
  readonly tokens: number;
  /** What a score below is of: `sequence`, `chunk`. Items of one unit belong together. */
  readonly unit: string;
  readonly scores: readonly number[];
  /** Every seed was scored on the same units. */
  readonly shared: boolean;
  /** The first items one by one; `null` where they have no right or wrong. */
  readonly answers: EvalAnswers | null;
}

/** A paired test between two models on the units both were scored on. */
export interface EvalComparison {
  readonly task: string;
  readonly a: string;
  readonly b: string;
  readonly metric: string;
  /** Mean of a - b and its 95% interval. */
  readonly difference: number;
  readonly interval: readonly [number, number];
  /** Adjusted for the pairs of the task. */
  readonly p: number;
  readonly units: number;
  readonly unit: string;
  readonly sentence: string;
}

/** A/A control: the same model against itself, interleaved as the rest. */
export interface Control {
  readonly model: string;
  readonly context: number;
  /** Ratio of medians and its interval; a difference inside it is called no difference. */
  readonly ratio: number;
  readonly interval: readonly [number, number];
  /** How far the interval reaches from 1: 0.18 is ±18%. */
  readonly spread: number;
  /** A difference of practical size (10%) could hide in the interval: what is inside it cannot be told. */
  readonly busy: boolean;
}

/** Layers that mix tokens along the context with one kernel. */
export interface Mixer {
  readonly kernel: 'attention' | 'wkv4' | 'wkv6' | 'wkv7' | 'gla' | 'selective_scan' | 'lstm';
  readonly layers: number;
  /** Heads, or channels where each keeps a state of its own of `headSize` numbers. */
  readonly heads: number;
  readonly headSize: number;
  /** Tokens a query sees at most, itself included; `null`: all before it. */
  readonly window: number | null;
}

export interface ModelInfo {
  readonly label: string;
  /** `zoo id` or `FILE.py::EXPRESSION`. */
  readonly source: string;
  readonly file: string;
  readonly parameters: number;
  readonly embeddingParameters: number;
  /** Channels of the residual stream; absent in runs of earlier versions, `null` where the model embeds no tokens. */
  readonly width?: number | null;
  readonly mixers?: readonly Mixer[];
}

export interface Environment {
  readonly crossover: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly threads: number;
  readonly instructionSet: string;
  readonly oneDnn: string | null;
  readonly memoryBytes: number;
  readonly gitCommit: string | null;
  readonly gitDirty: boolean | null;
  readonly dataHash: string | null;
  readonly dataDescription: string | null;
  /** Measured in this run, FLOP/s; `null` when not measured. */
  readonly peakFlopsPerSecond: number | null;
  readonly device: string;
  readonly precision: string;
}

export type RunStatus = 'running' | 'done' | 'cancelled' | 'failed' | 'interrupted';

export interface Progress {
  readonly message: string;
  /** 0..1 */
  readonly fraction: number;
  /** `null` while it cannot be told. */
  readonly secondsLeft: number | null;
}

export interface Problem {
  readonly message: string;
  readonly model: string | null;
  readonly file: string | null;
  readonly line: number | null;
}

/** A run of several that are shown together. */
export interface OverlaidRun {
  /** Stands after its models' labels. */
  readonly tag: string;
  readonly title: string;
  readonly status: RunStatus;
}

/** Where a report is of several runs: which, and in what they are unlike, a sentence each. */
export interface Overlay {
  readonly runs: readonly OverlaidRun[];
  readonly warnings: readonly string[];
}

export interface Report {
  readonly id: string;
  readonly title: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly finishedAt: number | null;
  readonly models: readonly ModelInfo[];
  readonly environment: Environment | null;
  readonly tokensPerStep: number | null;
  readonly timing: readonly TimingPoint[];
  readonly control: readonly Control[];
  readonly decode: readonly DecodePoint[];
  /** A/A control of the time per decoded token. */
  readonly decodeControl: readonly Control[];
  readonly loss: readonly LossCurve[];
  readonly evals: readonly EvalScore[];
  readonly evalItems: readonly EvalItems[];
  readonly comparisons: readonly EvalComparison[];
  readonly crossovers: readonly Crossover[];
  /** What an expert should know beside the numbers, e.g. a recipe that differs from the reference. */
  readonly notes: readonly string[];
  readonly problems: readonly Problem[];
  readonly progress: Progress | null;
  readonly overlay?: Overlay;
}
