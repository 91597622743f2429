/**
 * The graph: what the tracer records and what every compiler pass takes and returns.
 *
 * A graph has value semantics. There are no strides, aliases or in-place writes in it: the tracer has already turned
 * slice assignment into `slice_scatter`, `x += y` into `add`, and so on. Memory layout is decided when kernels are
 * made (`lower/`), never here.
 *
 * Nodes stand in topological order. A node may have several outputs; an input names a value, not a node.
 */

/** Element types as PyTorch names them, shortened. */
export type DType = 'f32' | 'f64' | 'bf16' | 'f16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u8' | 'bool';

/** Index into {@link Graph.values}. */
export type ValueId = number;

/** Where in a step a node belongs. `init` nodes appear only in a {@link Trace.init} graph. */
export type Phase = 'init' | 'forward' | 'backward' | 'optimizer';

export interface TensorType {
  readonly dtype: DType;
  /** Sizes, outermost first; `[]` is a 0-dimensional tensor. */
  readonly shape: readonly number[];
}

/** A range in a source file. Lines count from 1, columns from 0 in UTF-16 units, the end is exclusive. */
export interface Span {
  /** Index into {@link Graph.files}. */
  readonly file: number;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** Qualified name of the enclosing function, e.g. `CausalSelfAttention.forward`. */
  readonly function: string;
}

/** Attributes of a node; which ones an operation takes is said in `ops/`. */
export type Attr = number | boolean | string | readonly number[];
export type Attrs = Readonly<Record<string, Attr>>;

export interface Node {
  /** Name of a row of the operation table. */
  readonly op: string;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly attrs: Attrs;
  /** Index into {@link Graph.stacks}: the user's call chain. A backward node carries the stack of its forward node. */
  readonly stack: number;
  /** Index into {@link Graph.scopes}: the module path. */
  readonly scope: number;
  readonly phase: Phase;
}

/**
 * A user's `autograd.Function`. Nodes between `inputs` and `outputs` are not differentiated; instead the nodes that
 * compute `gradients` from `cotangents` (outputs of `cotangent` nodes, one per output) are spliced in.
 */
export interface CustomVjp {
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly cotangents: readonly ValueId[];
  /** One per input; `null` where the user's backward returned None. */
  readonly gradients: readonly (ValueId | null)[];
}

export interface Graph {
  readonly files: readonly string[];
  readonly spans: readonly Span[];
  /** Indexes into {@link Graph.spans}, innermost user frame first. */
  readonly stacks: readonly (readonly number[])[];
  /** Module paths such as `transformer.h.3.attn.c_proj`; `''` is the root or no module. */
  readonly scopes: readonly string[];
  readonly values: readonly TensorType[];
  readonly nodes: readonly Node[];
  /** Little-endian element data of `constant` nodes, by `attrs.blob`. */
  readonly constants: readonly Uint8Array[];
  readonly customVjps: readonly CustomVjp[];
  /** Named results: `loss`, `logits`, and in gradient graphs `grad.<parameter index>`. */
  readonly outputs: Readonly<Record<string, ValueId>>;
}

/** A tensor that outlives the step: a parameter, a registered buffer, or a plain tensor attribute made by `__init__`. */
export interface StateTensor {
  readonly kind: 'parameter' | 'buffer' | 'constant';
  /** First registered name, e.g. `transformer.wte.weight`. */
  readonly name: string;
  /** Every registered name, for tied weights; the first is `name`. */
  readonly names: readonly string[];
  readonly type: TensorType;
  readonly requiresGrad: boolean;
  /** The value of {@link Trace.init} that gives its first content. */
  readonly initial: ValueId;
}

/** One parameter group of the user's optimizer, in PyTorch's terms. */
export interface ParameterGroup {
  /** Indexes into {@link Trace.state}. */
  readonly parameters: readonly number[];
  /** Multiplies the run's learning rate: group lr divided by the lr handed to `configure_optimizers`. */
  readonly lrScale: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** What one trace of a model at one (context, batch, vocabulary) gives. */
export interface Trace {
  /** Builds every state tensor; its `rng.*` nodes must all run, in order, even when their result is unused. */
  readonly init: Graph;
  /** `state {index}` and `input {name}` nodes are its sources; outputs are `logits` and, with targets, `loss`. */
  readonly forward: Graph;
  readonly state: readonly StateTensor[];
  /** From the model's `configure_optimizers`; `null` when it has none or it was not usable. */
  readonly optimizer: readonly ParameterGroup[] | null;
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  /** What the model printed while it was traced, and warnings of the tracer, for the log. */
  readonly log: string;
}
