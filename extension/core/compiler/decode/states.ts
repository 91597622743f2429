/** The memory of a decoder: what its programs keep between tokens, and the tables they read by position. */
import type { DType, StateTensor, TensorType } from '../graph.js';
import { elementCount, storedBytes } from '../shapes.js';

/** A tensor of a decoder besides the model's own. */
export interface DecoderTensor {
  /** Index into the decoder's state, after the model's tensors. */
  readonly index: number;
  readonly name: string;
  readonly type: TensorType;
  /**
   * `table`: computed once from the weights. `cache`: a row per token, filled one by one. `state`: as large after any number
   * of tokens.
   */
  readonly role: 'table' | 'cache' | 'state';
  /** Tokens a cache has room for. */
  readonly capacity: number;
  /**
   * A table [context, .., context] of an attention mask. Only its content says whether it hides later tokens (0, or -1e30 and
   * below): who fills it must look, see {@link showsLater}.
   */
  readonly mask: boolean;
}

/** Whether the row of a mask's table shows a later token. `row` [.., context] of `token`: numbers that are added to scores. */
export function showsLater(row: ArrayLike<number>, token: number, context: number): boolean {
  for (let i = 0; i < row.length; i++) if (i % context > token && !(row[i]! <= -1e30)) return true;
  return false;
}

/** Gives out the tensors, the same in the same order for every window length. */
export class DecoderTensors {
  readonly all: DecoderTensor[] = [];
  private readonly known = new Map<string, DecoderTensor>();

  /** `first` is the number of the model's own tensors. */
  constructor(private readonly first: number) {}

  /** A tensor of its own; with a `key`, the one that was made for it before. */
  add(
    role: DecoderTensor['role'],
    name: string,
    dtype: DType,
    shape: readonly number[],
    { key, capacity = 0, mask = false }: { key?: string; capacity?: number; mask?: boolean } = {},
  ): DecoderTensor & { readonly isNew: boolean } {
    const known = key === undefined ? undefined : this.known.get(key);
    if (known !== undefined) return { ...known, isNew: false };
    const index = this.first + this.all.length;
    const tensor = { index, name, type: { dtype, shape }, role, capacity, mask };
    this.all.push(tensor);
    if (key !== undefined) this.known.set(key, tensor);
    return { ...tensor, isNew: true };
  }
}

const bytesOf = ({ type }: DecoderTensor): number => elementCount(type.shape) * storedBytes(type.dtype);

/** Bytes that a decoder must keep of `tokens` tokens: rows of its caches that are filled, and its states. */
export function decoderStateBytes(tensors: readonly DecoderTensor[], tokens: number): number {
  return tensors.reduce((total, tensor) => {
    if (tensor.role === 'table') return total;
    const share = tensor.role === 'cache' ? Math.min(1, tokens / tensor.capacity) : 1;
    return total + Math.round(bytesOf(tensor) * share);
  }, 0);
}

/** As a tensor of a trace, which no checkpoint names. */
export function asStateTensor({ name, type }: DecoderTensor, initial: number): StateTensor {
  return { kind: 'constant', name, names: [name], type, requiresGrad: false, initial };
}
