/** Questions the engine answers while its parent waits (`engine.js serve`, over Node's IPC), and the answers. */
import type { ModelSpec } from '../experiments/experiment.js';
import type { SamplingSpec } from '../experiments/sampling.js';
import type { CpuInfo } from './binding.js';
import type { WireError } from './wireError.js';

interface ModelAt {
  readonly model: ModelSpec;
  /** Folder that relative files are read from. */
  readonly root: string;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  readonly precision: 'fp32' | 'bf16';
}

export interface DevicesRequest {
  readonly method: 'devices';
}

/** What a training step of a model consists of, counted from shapes; nothing is run. */
export interface DescribeRequest extends ModelAt {
  readonly method: 'describe';
}

/** Runs the model once on given tokens. */
export interface EvaluateRequest extends ModelAt {
  readonly method: 'evaluate';
  readonly seed: number;
  readonly threads?: number;
  /** batch * context token ids, row by row. */
  readonly idx: readonly number[];
  /** As `idx`; -1 stands for a place that is not counted. `null`: the model is called without targets. */
  readonly targets: readonly number[] | null;
  readonly gradients: boolean;
  readonly wantLogits: boolean;
  /** Writes the weights that were used, as .safetensors. */
  readonly exportWeights?: string;
  /** Writes gradients under their parameters' names, and `output.logits` where logits were kept. */
  readonly exportResults?: string;
}

/** Loads a model for `step`; it stays loaded until another is. */
export interface LoadRequest extends ModelAt {
  readonly method: 'load';
  readonly seed: number;
  readonly threads?: number;
}

/** Runs training steps of the loaded model on tokens drawn from the step's number. */
export interface StepRequest {
  readonly method: 'step';
  readonly count: number;
  readonly learningRate: number;
  readonly clip: number;
}

/** Loads a model for `decode` and reads a prompt; it stays loaded until another is. */
export interface OpenDecoderRequest {
  readonly method: 'openDecoder';
  readonly model: ModelSpec;
  /** Folder that relative files are read from. */
  readonly root: string;
  /** Tokens it is to hold, those of the prompt included. */
  readonly capacity: number;
  readonly vocab: number;
  readonly precision: 'fp32' | 'bf16';
  /** Of the draws, and of the initialisation of a model without weights. */
  readonly seed: number;
  readonly threads?: number;
  /** Token ids, at least one. */
  readonly prompt: readonly number[];
  readonly sampling: SamplingSpec;
}

/** Makes tokens, each from the logits of those before. */
export interface DecodeRequest {
  readonly method: 'decode';
  readonly count: number;
}

export type EngineRequest =
  | DevicesRequest
  | DescribeRequest
  | EvaluateRequest
  | LoadRequest
  | StepRequest
  | OpenDecoderRequest
  | DecodeRequest;

export interface LineSummary {
  readonly file: string;
  readonly line: number;
  readonly flopsForward: number;
  readonly flopsBackward: number;
  readonly bytes: number;
}

export interface Description {
  readonly label: string;
  readonly parameters: number;
  readonly embeddingParameters: number;
  readonly nodes: number;
  readonly instructions: number;
  readonly flopsForward: number;
  readonly flopsBackward: number;
  readonly flopsOptimizer: number;
  readonly peakBytes: number;
  readonly stateBytes: number;
  readonly arenaBytes: number;
  readonly ioBytes: number;
  readonly lines: readonly LineSummary[];
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly kind: string;
  }[];
  readonly traceMs: number;
  readonly compileMs: number;
  readonly log: string;
}

export interface Evaluation {
  readonly label: string;
  /** `null` when the model gives none. */
  readonly loss: number | null;
  /** Row-major values and their shape; `null` unless asked for. */
  readonly logits: { readonly shape: readonly number[]; readonly values: readonly number[] } | null;
  /** By parameter name; empty unless gradients were asked for. */
  readonly gradientNorms: Readonly<Record<string, number>>;
  /** Names in the weights file that the model does not have. */
  readonly unusedWeights: readonly string[];
  /** What was done to the weights to fit the model. */
  readonly weightNotes: readonly string[];
}

export interface Steps {
  readonly samplesMs: readonly number[];
  readonly losses: readonly number[];
  /** Largest resident set of the engine process so far, bytes. */
  readonly peakResidentBytes: number;
}

export interface Loaded {
  readonly peakBytes: number;
  readonly parameters: number;
  readonly traceMs: number;
  readonly compileMs: number;
}

export interface OpenedDecoder {
  readonly label: string;
  readonly promptMs: number;
  readonly stateBytes: number;
  readonly weightNotes: readonly string[];
}

export interface Decoded {
  readonly tokens: readonly number[];
  /** Time of all of them. */
  readonly ms: number;
  /** What must be kept of all tokens so far. */
  readonly stateBytes: number;
}

/** The answer's type for each request. */
export interface Answers {
  readonly devices: CpuInfo;
  readonly describe: Description;
  readonly evaluate: Evaluation;
  readonly load: Loaded;
  readonly step: Steps;
  readonly openDecoder: OpenedDecoder;
  readonly decode: Decoded;
}

export interface RequestMessage {
  readonly id: number;
  readonly request: EngineRequest;
}

export type ReplyMessage =
  | { readonly id: number; readonly answer: Answers[keyof Answers] }
  | { readonly id: number; readonly error: WireError };
