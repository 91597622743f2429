import { fileProblem } from '../fileProblem.js';

/** A failure of a run folder that a user can act on, in one sentence. */
export class RunError extends Error {
  constructor(
    message: string,
    readonly code: 'missing' | 'damaged' | 'version' | 'full' | 'write' | 'engine' | 'busy',
  ) {
    super(message);
    this.name = 'RunError';
  }
}

/** Another run holds the folder. */
export class RunBusyError extends RunError {
  constructor(
    /** Folder of the run that is going on. */
    readonly holder: string,
    title: string,
  ) {
    super(
      `A run is going on in this folder already (${title}), and two at a time would disturb each other's times: wait for it, or cancel it.`,
      'busy',
    );
    this.name = 'RunBusyError';
  }
}

/** The `code` of a Node system error, `''` for anything else. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Turns a failed write into a sentence: a full disk is named as such. */
export function writeError(file: string, error: unknown): RunError {
  if (systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT')
    return new RunError(
      `The disk is full: ${file} could not be written; free some space and start the run again.`,
      'full',
    );
  return new RunError(
    `${file} could not be written (${fileProblem(error)}): check the folder's permissions.`,
    'write',
  );
}
