/** Runs verify.py under a local Python. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { distPath } from '../paths.js';

/** What keeps a verification from being made, in one sentence. */
export class VerifyError extends Error {
  override readonly name = 'VerifyError';
}

export interface PythonRequest {
  readonly file: string;
  readonly expression: string;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  readonly seed: number;
  readonly idx: readonly number[];
  readonly targets: readonly number[];
  readonly call?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly init?: string;
  readonly moduleMode?: 'train' | 'eval';
  /** .safetensors of the weights to use. */
  readonly weights?: string;
  /** Where to write the weights the model was made with. */
  readonly initial?: string;
  /** Where to write loss, logits and gradients. */
  readonly output: string;
}

export interface PythonAnswer {
  readonly torch: string;
  readonly notes: readonly string[];
}

const timeLimitMs = 15 * 60_000;

/** Runs the model under `python`; files named in the request are written. Rejects with {@link VerifyError}. */
export async function runPython(
  python: string,
  request: PythonRequest,
  folder: string,
  signal?: AbortSignal,
): Promise<PythonAnswer> {
  const asked = path.join(folder, 'request.json');
  writeFileSync(asked, JSON.stringify(request));
  const { error, stdout, stderr } = await new Promise<{
    error: Error | null;
    stdout: string;
    stderr: string;
  }>((resolve) => {
    const options = { timeout: timeLimitMs, maxBuffer: 2 ** 26, ...(signal === undefined ? {} : { signal }) };
    execFile(python, [distPath('verify', 'verify.py'), asked], options, (failure, out, err) =>
      resolve({ error: failure, stdout: out, stderr: err }),
    );
  });
  signal?.throwIfAborted();
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  const answer = parse(last);
  if (answer !== null && 'error' in answer) throw new VerifyError(sentenceOf(answer.error, python));
  if (answer !== null) return answer;
  if (error !== null && (error as NodeJS.ErrnoException).code === 'ENOENT') {
    throw new VerifyError(`There is no program ${python}: name a Python that has PyTorch with --python.`);
  }
  const why = stderr.trim().split('\n').at(-1) ?? '';
  throw new VerifyError(
    `${python} ended before the model had run${why === '' ? '' : ` (${why.slice(0, 300)})`}.`,
  );
}

function parse(line: string): PythonAnswer | { readonly error: string } | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && ('torch' in value || 'error' in value)
      ? (value as PythonAnswer | { error: string })
      : null;
  } catch {
    return null;
  }
}

function sentenceOf(error: string, python: string): string {
  if (/^ModuleNotFoundError: No module named 'torch'/.test(error)) {
    return `${python} has no PyTorch: install it there with "pip install torch", or name another Python with --python.`;
  }
  return `The model does not run under ${python}: ${error.replace(/\.$/, '')}.`;
}
