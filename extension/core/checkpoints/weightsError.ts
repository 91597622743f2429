/** What is wrong with a checkpoint, in words. */
import { fileProblem } from '../fileProblem.js';

/** One sentence that names the file. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError';
}

/** What is wrong inside a file, as the part of a sentence that follows "because"; the file's name is added where it is opened. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

/** Runs `work` on a file and turns whatever is thrown into a {@link WeightsError} of one sentence. */
export function reading<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    const why = error instanceof FormatError ? error.message : fileProblem(error);
    throw new WeightsError(`${shownPath(file)} cannot be read as a checkpoint: ${why}.`);
  }
}

/** A name from a file as it may stand in a sentence: on one line, and not too long. */
export function shownName(name: string): string {
  const plain = name.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?');
  return plain.length > 120 ? `${plain.slice(0, 119)}…` : plain;
}

const shownPath = (file: string): string => file.replace(/[\r\n]+/g, ' ');
