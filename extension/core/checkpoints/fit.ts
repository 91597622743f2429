/** Which tensor of a checkpoint belongs to which tensor of a model, or one sentence about why they do not fit. */
import type { Checkpoint } from './checkpoint.js';
import { type Layout, recognise } from './layouts.js';
import { elementsOf, equalTensors, type StoredTensor } from './storedTensor.js';
import { WeightNames } from './weightNames.js';
import { shownName, WeightsError } from './weightsError.js';

export interface ModelTensor {
  /** Every registered name; several when it is tied. */
  readonly names: readonly string[];
  readonly shape: readonly number[];
  /** A buffer may be missing: it keeps its initial value. */
  readonly required: boolean;
}

export interface Fit {
  /** By index of the model's tensors; `null` where the checkpoint has none. */
  readonly tensors: readonly (StoredTensor | null)[];
  /** Names in the checkpoint that the model does not have. */
  readonly unused: readonly string[];
  readonly notes: readonly string[];
}

interface Attempt extends Fit {
  readonly missing: readonly string[];
  /** Name, shape in the file, shape in the model. */
  readonly misshapen: readonly (readonly [string, readonly number[], readonly number[]])[];
}

/** Fits a checkpoint by the model's own names, else by those of its layout. Throws {@link WeightsError}. */
export function fit(checkpoint: Checkpoint, model: readonly ModelTensor[]): Fit {
  const plain = attempt(checkpoint.file, checkpoint.tensors, model, []);
  if (complete(plain)) return plain;
  const layout = recognise(checkpoint);
  const converted = layout === null ? null : attempt(checkpoint.file, layout.tensors, model, layout.notes);
  if (converted !== null && complete(converted)) return converted;
  const best = converted !== null && problems(converted) < problems(plain) ? converted : plain;
  throw new WeightsError(misfit(checkpoint.file, best, layout));
}

const complete = (found: Attempt): boolean => problems(found) === 0;
const problems = ({ missing, misshapen }: Attempt): number => missing.length + misshapen.length;

function attempt(
  file: string,
  stored: ReadonlyMap<string, StoredTensor>,
  model: readonly ModelTensor[],
  notes: readonly string[],
): Attempt {
  const names = new WeightNames([...stored.keys()]);
  const missing: string[] = [];
  const misshapen: [string, readonly number[], readonly number[]][] = [];
  const tensors = model.map(({ names: own, shape, required }) => {
    const found = names.take(own);
    if (found.length === 0) {
      if (required) missing.push(own[0]!);
      return null;
    }
    const tensor = stored.get(found[0]!)!;
    if (!sameShape(tensor, shape)) {
      misshapen.push([found[0]!, tensor.shape, shape]);
      return null;
    }
    refuseUntied(file, found, stored);
    return tensor;
  });
  return { tensors, unused: names.unused(), notes, missing, misshapen };
}

/** Equal but for axes of size 1, which releases of one model add and drop; a view of a layout counts as its matrix. */
function sameShape(tensor: StoredTensor, shape: readonly number[]): boolean {
  const without = (dims: readonly number[]): string => dims.filter((dim) => dim !== 1).join();
  if (without(tensor.shape) === without(shape)) return true;
  if (tensor.shape.length !== 4 || shape.length !== 2) return false;
  return (
    tensor.shape[3] === shape[1] && elementsOf(tensor.shape) === elementsOf(shape) && tensor.shape[2] === 2
  );
}

/** One tensor of the model cannot take two different ones. */
function refuseUntied(
  file: string,
  found: readonly string[],
  stored: ReadonlyMap<string, StoredTensor>,
): void {
  const [first, ...others] = found;
  for (const other of others)
    if (!equalTensors(stored.get(first!)!, stored.get(other)!))
      throw new WeightsError(
        `${file} holds different values for "${shownName(first!)}" and "${shownName(other)}", which the model ties to one tensor; it fits a model that does not.`,
      );
}

const SHOWN = 3;
const listed = (items: readonly string[]): string =>
  items.slice(0, SHOWN).join(', ') + (items.length > SHOWN ? `, and ${items.length - SHOWN} more` : '');
const quoted = (name: string): string => `"${shownName(name)}"`;

function misfit(file: string, { missing, misshapen, unused }: Attempt, layout: Layout | null): string {
  const parts: string[] = [];
  if (missing.length > 0)
    parts.push(`${counted(missing, 'is', 'are')} missing (${listed(missing.map(quoted))})`);
  if (misshapen.length > 0) {
    const shapes = misshapen.map(
      ([name, found, shape]) =>
        `${quoted(name)} is [${found.join(', ')}] where the model has [${shape.join(', ')}]`,
    );
    parts.push(`${counted(misshapen, 'has', 'have')} another shape (${listed(shapes)})`);
  }
  if (unused.length > 0)
    parts.push(`${unused.length} of the file are not in the model (${listed(unused.map(quoted))})`);
  const kind = layout === null ? '' : `; it is a ${layout.title} checkpoint, for ${layout.zoo.join(' or ')}`;
  return `${file} does not fit the model: ${parts.join('; ')}${kind}.`;
}

const counted = (items: readonly unknown[], one: string, many: string): string =>
  `${items.length} ${items.length === 1 ? `tensor ${one}` : `tensors ${many}`}`;
