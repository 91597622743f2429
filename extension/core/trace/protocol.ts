/** What crosses the pipe between the tracer and its locked-down process. */

/** One line of JSON to the process. */
export interface WorkerRequest {
  readonly id: number;
  readonly memoryLimitBytes: number;
  /** JSON text for `crossover_trace.trace`. */
  readonly request: string;
}

/** First of the two lines of an answer. */
export type ReplyHeader =
  | { readonly kind: 'ready' }
  /** The second line is a snapshot of the interpreter's memory, in base64. */
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'failed'; readonly reason: string }
  /** The second line is the response of `crossover_trace.trace`. */
  | { readonly kind: 'response'; readonly id: number; readonly memoryDenied: boolean }
  | { readonly kind: 'broken'; readonly id: number; readonly memoryDenied: boolean; readonly reason: string };

/** Largest answer accepted from the process. */
export const replyLimitBytes = 256 * 2 ** 20;
