/** What one row of the operation table says, and readers of attributes. */
import type { GraphBuilder } from '../build.js';
import type { Attr, Attrs, TensorType, ValueId } from '../graph.js';

/** A tensor of the reference interpreter: row-major; integers and booleans are stored as numbers. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface VjpContext {
  readonly b: GraphBuilder;
  readonly inputs: readonly ValueId[];
  /** With `save: true` these include what the operation saved. */
  readonly outputs: readonly ValueId[];
  readonly attrs: Attrs;
  /** Incoming gradient per output; `null` where nothing that leads to the loss reads it. */
  readonly dys: readonly (ValueId | null)[];
  /** Whether the gradient of input `i` is wanted; others may be returned as `null`. */
  readonly wants: (i: number) => boolean;
}

/** Emits the nodes of the gradient; gives one value per input, `null` for no gradient. */
export type Vjp = (context: VjpContext) => readonly (ValueId | null)[];

/** What `evaluate` may need besides its inputs. */
export interface EvaluateContext {
  readonly types: readonly TensorType[];
  readonly constants: readonly Uint8Array[];
  /** Numbers in [0, 1) for operations that draw. */
  readonly random: () => number;
}

export interface Operation {
  readonly name: string;
  /** The output types; throws one sentence. `declared` are the types written on the node, for operations with a choice. */
  readonly infer: (
    inputs: readonly TensorType[],
    attrs: Attrs,
    declared: readonly TensorType[] | undefined,
  ) => readonly TensorType[];
  /** Absent: no gradient flows to any input. */
  readonly vjp?: Vjp;
  /** The gradient needs extra outputs, made when `attrs.save` is true. */
  readonly saves?: true;
  /** Rewrites into simpler operations when the node is not in the form the back end takes; `null` when it is. */
  readonly decompose?: (
    b: GraphBuilder,
    inputs: readonly ValueId[],
    attrs: Attrs,
    outputs: readonly TensorType[],
  ) => readonly ValueId[] | null;
  /** Floating-point operations, 2 per multiply-add; absent: 0. */
  readonly flops?: (inputs: readonly TensorType[], attrs: Attrs, outputs: readonly TensorType[]) => number;
  /** Bytes read and written; absent: every input once and every output once. */
  readonly bytes?: (inputs: readonly TensorType[], attrs: Attrs, outputs: readonly TensorType[]) => number;
  readonly evaluate?: (
    inputs: readonly NdArray[],
    attrs: Attrs,
    outputs: readonly TensorType[],
    context: EvaluateContext,
  ) => readonly NdArray[];
  /** One output element per broadcast input elements: may be fused, folded and recomputed. */
  readonly scalar?: (attrs: Attrs) => (...x: number[]) => number;
  /** Reads the random stream or has another effect: neither merged, folded nor recomputed. */
  readonly effect?: true;
}

export type Row = Omit<Operation, 'name'>;

/** The type of a float tensor. */
export const f32 = (shape: readonly number[]): TensorType => ({ dtype: 'f32', shape });

/** Thrown for anything illegal in a graph. */
export class GraphError extends Error {
  override name = 'GraphError';
}

export function number(attrs: Attrs, key: string, fallback?: number): number {
  const value = attrs[key];
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value === undefined && fallback !== undefined) return fallback;
  if (value === 'inf') return Infinity;
  if (value === '-inf') return -Infinity;
  if (value === 'nan') return NaN;
  throw new GraphError(`attribute ${key} should be a number and is ${JSON.stringify(value)}`);
}

export function flag(attrs: Attrs, key: string): boolean {
  const value = attrs[key];
  return value === true || value === 1;
}

export function text(attrs: Attrs, key: string): string {
  const value = attrs[key];
  if (typeof value === 'string') return value;
  throw new GraphError(`attribute ${key} should be a string and is ${JSON.stringify(value)}`);
}

export function integers(attrs: Attrs, key: string): readonly number[] {
  const value = attrs[key];
  if (Array.isArray(value)) return value as readonly number[];
  if (typeof value === 'number') return [value];
  throw new GraphError(`attribute ${key} should be a list of integers and is ${JSON.stringify(value)}`);
}

/** Writes a number as an attribute; JSON has no infinities. */
export function numberAttr(value: number): Attr {
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf';
}

/** Attribute `dim` as an index below `rank`. */
export function dimOf(attrs: Attrs, rank: number): number {
  const dim = number(attrs, 'dim');
  const positive = dim < 0 ? dim + rank : dim;
  if (positive < 0 || positive >= Math.max(rank, 1))
    throw new GraphError(`dim ${dim} is out of range for ${rank} dims`);
  return positive;
}

/** Attribute `dims` as sorted indexes below `rank`; an empty list means all of them. */
export function dimsOf(attrs: Attrs, rank: number): number[] {
  const dims = attrs['dims'] === undefined ? [] : integers(attrs, 'dims');
  if (dims.length === 0) return Array.from({ length: rank }, (_, i) => i);
  const positive = dims.map((dim) => (dim < 0 ? dim + rank : dim)).sort((a, b) => a - b);
  if (positive.some((dim, i) => dim < 0 || dim >= rank || dim === positive[i - 1]))
    throw new GraphError(`dims [${dims.join(', ')}] are not distinct dims of a tensor with ${rank}`);
  return positive;
}

/** Throws unless there are `least` to `most` inputs. */
export function arity(inputs: readonly unknown[], least: number, most = least): void {
  if (inputs.length < least || inputs.length > most)
    throw new GraphError(
      `takes ${least === most ? least : `${least} to ${most}`} inputs and has ${inputs.length}`,
    );
}

export function declaredOne(declared: readonly TensorType[] | undefined): TensorType {
  if (declared?.length !== 1) throw new GraphError('has one output whose type must be given');
  return declared[0]!;
}

export function without(attrs: Attrs, ...keys: readonly string[]): Attrs {
  return Object.fromEntries(Object.entries(attrs).filter(([key]) => !keys.includes(key)));
}
