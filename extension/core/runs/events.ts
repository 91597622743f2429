/** What a run appends to `events.jsonl`: one JSON object per line, in the order things happened. */
import type {
  Environment,
  EvalItems,
  EvalScore,
  LineCost,
  ModelInfo,
  ModuleCost,
  PartCost,
  Problem,
  Progress,
} from '../../shared/report.js';

/** Version of `run.json` and `events.jsonl`; readers refuse any other. */
export const RUN_VERSION = 1;

/** `main` is the measurement, `control` the second series of the same model (the A/A control). */
export type Series = 'main' | 'control';

export interface HeaderEvent {
  readonly type: 'header';
  readonly version: number;
  readonly id: string;
}

/** A (model, context) that is about to be measured: what the compiler knows before the first sample. */
export interface PointEvent {
  readonly type: 'point';
  readonly model: string;
  readonly context: number;
  readonly batch: number;
  readonly precision: string;
  readonly peakBytes: number;
  /** Per step. */
  readonly flops: number;
}

/** One timed step, milliseconds. */
export interface SampleEvent {
  readonly type: 'sample';
  readonly series: Series;
  readonly model: string;
  readonly context: number;
  readonly ms: number;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly optimizerMs: number;
}

/** Where the time of profiled steps went, as measured; a report scales it to the median step. */
export interface ProfileEvent {
  readonly type: 'profile';
  readonly model: string;
  readonly context: number;
  readonly lines: readonly LineCost[];
  readonly modules: readonly ModuleCost[];
  /** Absent in runs of earlier versions. */
  readonly parts?: readonly PartCost[];
}

/** A (model, prompt length) whose decoding is about to be measured. */
export interface DecodePointEvent {
  readonly type: 'decodePoint';
  readonly model: string;
  readonly context: number;
  readonly precision: string;
  /** What must be kept of that many tokens. */
  readonly stateBytes: number;
}

/** One prompt of `context` tokens, and the median time of a token right after it, milliseconds. */
export interface DecodeSampleEvent {
  readonly type: 'decodeSample';
  readonly series: Series;
  readonly model: string;
  readonly context: number;
  readonly promptMs: number;
  readonly tokenMs: number;
}

/** What training on one token takes: once per model and seed, before its first step. */
export interface TrainingEvent {
  readonly type: 'training';
  readonly model: string;
  readonly seed: number;
  /** Forward, backward and optimizer, as the compiler counts them. */
  readonly flopsPerToken: number;
  /** Mean over the training text: 1 where every byte is a token. */
  readonly bytesPerToken: number;
}

/** One training step. `loss` is in nats per token, `seconds` counts training time only. */
export interface LossEvent {
  readonly type: 'loss';
  readonly model: string;
  readonly seed: number;
  readonly step: number;
  readonly tokens: number;
  readonly seconds: number;
  readonly loss: number;
}

export interface HeldOutEvent {
  readonly type: 'heldOut';
  readonly model: string;
  readonly seed: number;
  readonly step: number;
  readonly tokens: number;
  readonly seconds: number;
  readonly loss: number;
  readonly bitsPerByte: number | null;
}

export type RunEvent =
  | HeaderEvent
  | PointEvent
  | SampleEvent
  | ProfileEvent
  | DecodePointEvent
  | DecodeSampleEvent
  | TrainingEvent
  | LossEvent
  | HeldOutEvent
  | { readonly type: 'environment'; readonly environment: Environment }
  | { readonly type: 'model'; readonly model: ModelInfo }
  | { readonly type: 'peak'; readonly flopsPerSecond: number }
  | { readonly type: 'eval'; readonly score: EvalScore }
  | { readonly type: 'items'; readonly items: EvalItems }
  | { readonly type: 'note'; readonly message: string }
  | { readonly type: 'problem'; readonly problem: Problem }
  | { readonly type: 'progress'; readonly progress: Progress };
