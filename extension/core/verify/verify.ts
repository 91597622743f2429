/**
 * Runs one model on the same weights and the same tokens under a local PyTorch and under Crossover's engine, and says
 * how far loss, logits and every gradient are apart.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openCheckpoint } from '../checkpoints/open.js';
import { tensorBytes } from '../checkpoints/storedTensor.js';
import { compareTensors, largest, worstFirst, type TensorDifference } from './difference.js';
import { runPython, type PythonRequest } from './python.js';

export { VerifyError } from './python.js';
export type { TensorDifference } from './difference.js';

export interface VerifyRequest {
  /** Absolute path. */
  readonly file: string;
  readonly expression: string;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  /** Of the initialisation, and of the tokens. */
  readonly seed: number;
  readonly call?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly init?: string;
  /** Weights were loaded from a file: then there are no initial weights to compare. */
  readonly weightsGiven: boolean;
  /** Python with PyTorch; default `python3`. */
  readonly python?: string;
  /** Largest relative difference that passes; default 1e-4. */
  readonly tolerance?: number;
}

/** What the engine is asked for: one forward and backward pass of the request's model. */
export interface EngineRequest {
  /** batch * context ids, row by row. */
  readonly idx: readonly number[];
  readonly targets: readonly number[];
  /** Write the weights that were used here, as .safetensors, under their first names. */
  readonly weights: string;
  /** Write gradients under their parameters' names, and `output.logits`, here. */
  readonly results: string;
}

export interface VerifyReport {
  readonly passed: boolean;
  readonly tolerance: number;
  /** Version of PyTorch. */
  readonly torch: string;
  readonly loss: { readonly crossover: number; readonly pytorch: number; readonly relative: number | null };
  /** `null` when the model returns none. */
  readonly logits: TensorDifference | null;
  /** Worst first. */
  readonly gradients: readonly TensorDifference[];
  /** Parameters as they were made from the seed, worst first; `null` when weights were given. */
  readonly initial: readonly TensorDifference[] | null;
  /** Largest of the relative differences; `null` when something could not be compared. */
  readonly largestGradient: number | null;
  readonly notes: readonly string[];
}

const defaultTolerance = 1e-4;
/** How much wider it is for buffers: sines of large angles, as in tables of positions, carry the last bit of their angle. */
const BUFFERS = 10;

/**
 * `engine` runs the model and writes two files; it resolves to the loss. Rejects with VerifyError when Python or the
 * model cannot run, and with whatever `engine` rejects with.
 */
export async function verify(
  request: VerifyRequest,
  engine: (asked: EngineRequest) => Promise<number>,
  signal?: AbortSignal,
): Promise<VerifyReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'crossover-verify-'));
  const at = (name: string): string => path.join(folder, name);
  try {
    const [idx, targets] = tokens(request);
    const weights = at('weights.safetensors');
    const loss = await engine({ idx, targets, weights, results: at('crossover.safetensors') });
    signal?.throwIfAborted();
    const asked: PythonRequest = {
      ...request,
      idx,
      targets,
      weights,
      output: at('pytorch.safetensors'),
      ...(request.weightsGiven ? {} : { initial: at('initial.safetensors') }),
    };
    const answer = await runPython(request.python ?? 'python3', asked, folder, signal);
    return report(request, loss, at, answer);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(
  request: VerifyRequest,
  loss: number,
  at: (name: string) => string,
  { torch, notes }: { readonly torch: string; readonly notes: readonly string[] },
): VerifyReport {
  const tolerance = request.tolerance ?? defaultTolerance;
  const ours = read(at('crossover.safetensors'));
  const theirs = read(at('pytorch.safetensors'));
  const reference = theirs.get('loss')?.[0] ?? NaN;
  const lossDifference = compareTensors('loss', Float32Array.of(loss), Float32Array.of(reference), tolerance);
  const logits = [ours.get('output.logits') ?? null, theirs.get('logits') ?? null] as const;
  const gradientNames = new Set([...ours.keys()].filter((name) => name !== 'output.logits'));
  for (const name of theirs.keys())
    if (name.startsWith('grad.')) gradientNames.add(name.slice('grad.'.length));
  let top = 0;
  for (const [name, values] of theirs) if (name.startsWith('grad.')) top = Math.max(top, largest(values));
  if (!Number.isFinite(top)) top = 0;
  const gradients = [...gradientNames].map((name) =>
    compareTensors(name, ours.get(name) ?? null, theirs.get(`grad.${name}`) ?? null, tolerance, top),
  );
  const compared = {
    loss: { crossover: loss, pytorch: reference, relative: lossDifference.relative },
    logits: logits[1] === null ? null : compareTensors('logits', ...logits, tolerance),
    gradients: worstFirst(gradients),
    initial: request.weightsGiven ? null : initialWeights(at, tolerance, gradientNames),
  };
  const all = [lossDifference, ...(compared.logits === null ? [] : [compared.logits]), ...gradients];
  const passes = ({ verdict }: TensorDifference): boolean => ['equal', 'near', 'noise'].includes(verdict);
  return {
    passed: gradients.length > 0 && [...all, ...(compared.initial ?? [])].every(passes),
    tolerance,
    torch,
    ...compared,
    largestGradient: gradients.some((gradient) => gradient.relative === null)
      ? null
      : Math.max(0, ...gradients.map((gradient) => gradient.relative!)),
    notes,
  };
}

/** The weights both sides made from the seed. Names of tied weights that only PyTorch lists are left out. */
function initialWeights(
  at: (name: string) => string,
  tolerance: number,
  trained: ReadonlySet<string>,
): TensorDifference[] {
  const ours = read(at('weights.safetensors'));
  const theirs = read(at('initial.safetensors'));
  const differences = [...ours].map(([name, values]) =>
    compareTensors(
      name,
      values,
      theirs.get(name) ?? null,
      trained.has(name) ? tolerance : BUFFERS * tolerance,
    ),
  );
  return worstFirst(differences);
}

/** Every floating-point tensor of a file. */
function read(file: string): Map<string, Float32Array> {
  const stored = openCheckpoint(file);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const [name, tensor] of stored.tensors)
      if (tensor.dtype === 'f32') tensors.set(name, new Float32Array(tensorBytes(tensor, 'f32').buffer));
    return tensors;
  } finally {
    stored.close();
  }
}

/** Ids and targets drawn from the seed: the same tokens every time. */
function tokens({ seed, batch, context, vocab }: VerifyRequest): [number[], number[]] {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const draw = (): number => {
    // Marsaglia's xorshift, 32 bits.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.floor((state / 2 ** 32) * vocab);
  };
  if (state === 0) state = 1;
  const row = (): number[] => Array.from({ length: batch * context }, draw);
  return [row(), row()];
}
