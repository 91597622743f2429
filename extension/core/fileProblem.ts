/** Why a file could not be read or written, in words instead of a system code. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  EACCES: 'permission was denied',
  EPERM: 'permission was denied',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
};

/** The reason inside a sentence; for other errors their own message, on one line. */
export function fileProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return WORDS[code] ?? error.message.replace(/\s*\n\s*/g, ' ').replace(/\.$/, '');
}

/** The same for a file that is written, where what does not exist is its folder. */
export function writeProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return code === 'ENOENT' ? 'its folder does not exist' : fileProblem(error);
}
