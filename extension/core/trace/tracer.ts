/** The tracer as the rest of the core sees it; `process.ts` implements it over the locked-down process. */
import type { Trace } from '../compiler/graph.js';

export interface TraceRequest {
  /** Absolute path of the model file. */
  readonly file: string;
  /** Python expression in the file's namespace, with T, V and B defined. */
  readonly expression: string;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  /** Python expression of the call; default `model(idx, targets)` or `model(idx)` by signature. */
  readonly call?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly init?: string;
  /** Without targets: logits only. Default true. */
  readonly targets?: boolean;
  /** `train` (default) or `eval`: which mode the module is put in before the call. */
  readonly moduleMode?: 'train' | 'eval';
  /** Handed to `configure_optimizers`. */
  readonly weightDecay?: number;
  readonly learningRate?: number;
  /** Default 30,000. */
  readonly timeLimitMs?: number;
  /** Default 2 GiB. */
  readonly memoryLimitBytes?: number;
}

/** A failure a user can act on: one sentence, with the place in their file where there is one. */
export class TraceError extends Error {
  constructor(
    message: string,
    readonly code:
      | 'syntax'
      | 'import'
      | 'shape'
      | 'unsupported'
      | 'data-dependent'
      | 'entry'
      | 'python'
      | 'time'
      | 'memory'
      | 'size'
      | 'sandbox'
      | 'file',
    readonly file: string | null,
    readonly line: number | null,
  ) {
    super(message);
    this.name = 'TraceError';
  }
}

export interface Tracer {
  /** Traces once; rejects with {@link TraceError}. Aborting kills and respawns the process. */
  trace(request: TraceRequest, signal?: AbortSignal): Promise<Trace>;
  dispose(): void;
}
