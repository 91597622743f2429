/** What an experiment is run with: the engine's session, where events go, and how it is stopped. */
import type { Problem } from '../../shared/report.js';
import type { NativeSession } from '../engine/binding.js';
import type { RunEvent } from '../runs/events.js';
import { RunError } from '../runs/runError.js';
import type { ProgressMeter } from './progressMeter.js';

export interface Lab {
  readonly session: NativeSession;
  readonly signal: AbortSignal;
  readonly progress: ProgressMeter;
  /** Appends to the run; throws when the disk is full. */
  emit(...events: readonly RunEvent[]): void;
}

/** Records why one model could not be measured, so that the others go on. Cancels and failed writes are passed on. */
export function recordProblem(lab: Pick<Lab, 'emit' | 'signal'>, model: string, error: unknown): void {
  lab.signal.throwIfAborted();
  if (error instanceof RunError) throw error;
  lab.emit({ type: 'problem', problem: problemOf(model, error) });
}

/** A problem with its place, where the error has one. */
export function problemOf(model: string | null, error: unknown): Problem {
  const { message, file, line } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    file?: unknown;
    line?: unknown;
  };
  return {
    message,
    model,
    file: typeof file === 'string' ? file : null,
    line: typeof line === 'number' ? line : null,
  };
}
