/** Layer and RMS normalisation written by hand: (x - mean) / sqrt(var + eps) and x / sqrt(mean(x^2) + eps). */
import type { GraphBuilder } from '../build.js';
import type { Node, ValueId } from '../graph.js';
import { dimsOf, number } from '../ops/operation.js';
import { elementCount, reducedShape, sameShape } from '../shapes.js';

interface Mean {
  readonly of: ValueId;
  /** How many trailing dims were averaged. */
  readonly dims: number;
}

/** The two operands of a commutative node, in both orders. */
function* orders(node: Node): Generator<readonly [ValueId, ValueId]> {
  const [x, y] = node.inputs as [ValueId, ValueId];
  yield [x, y];
  yield [y, x];
}

/** A mean over trailing dims kept as size 1, also as a sum times 1/n or over n. */
function meanOf(b: GraphBuilder, value: ValueId): Mean | null {
  const shape = b.shape(value);
  let node = b.producer(value);
  if (node.op === 'reshape') node = b.producer(node.inputs[0]!);
  let factor = 1;
  let over = 1;
  if (node.op === 'mul' || node.op === 'div') {
    const known = b.uniform(node.inputs[1]!) ?? NaN;
    factor = node.op === 'mul' ? known : 1 / known;
    node = b.producer(node.inputs[0]!);
    if (node.op === 'reshape') node = b.producer(node.inputs[0]!);
    if (node.op !== 'sum') return null;
  }
  if (node.op !== 'sum' && node.op !== 'mean') return null;
  const of = node.inputs[0]!;
  const full = b.shape(of);
  const dims = dimsOf(node.attrs, full.length);
  if (node.op === 'sum') over = elementCount(dims.map((d) => full[d]!));
  const trailing = dims.every((d, i) => d === full.length - dims.length + i);
  if (!trailing || !sameShape(shape, reducedShape(full, dims, true))) return null;
  return Math.abs(factor * over - 1) < 1e-6 ? { of, dims: dims.length } : null;
}

/** x when `value` is x^2. */
function squareOf(b: GraphBuilder, value: ValueId): ValueId | null {
  const node = b.producer(value);
  if (node.op === 'square') return node.inputs[0]!;
  if (node.op === 'mul' && node.inputs[0] === node.inputs[1]) return node.inputs[0]!;
  return node.op === 'pow' && b.uniform(node.inputs[1]!) === 2 ? node.inputs[0]! : null;
}

/** x and its number of dims when `value` is x - mean(x). */
function centred(b: GraphBuilder, value: ValueId): Mean | null {
  const node = b.producer(value);
  if (node.op !== 'sub') return null;
  const mean = meanOf(b, node.inputs[1]!);
  return mean?.of === node.inputs[0] ? mean : null;
}

/** What is under the root of var + eps, and eps. */
function deviation(b: GraphBuilder, value: ValueId): { variance: ValueId; eps: number } | null {
  const node = b.producer(value);
  if (node.op !== 'add') return null;
  for (const [variance, eps] of orders(node)) {
    const known = b.uniform(eps);
    if (known !== undefined) return { variance, eps: known };
  }
  return null;
}

/** v when `value` is 1 / sqrt(v); for a divisor, when it is sqrt(v). */
function underRoot(b: GraphBuilder, value: ValueId, divisor: boolean): ValueId | null {
  const node = b.producer(value);
  if (divisor) return node.op === 'sqrt' ? node.inputs[0]! : null;
  if (node.op === 'rsqrt') return node.inputs[0]!;
  if (node.op !== 'reciprocal') return null;
  const root = b.producer(node.inputs[0]!);
  return root.op === 'sqrt' ? root.inputs[0]! : null;
}

/** Recognises `numerator / sqrt(variance + eps)`. */
function normalised(b: GraphBuilder, numerator: ValueId, root: ValueId): ValueId | null {
  const under = deviation(b, root);
  if (!under) return null;
  const { variance, eps } = under;
  const mean = meanOf(b, variance);
  const squared = mean && squareOf(b, mean.of);
  const centre = centred(b, numerator);
  if (mean && squared === numerator) {
    if (centre?.dims === mean.dims) return b.one('layer_norm', [centre.of], { dims: mean.dims, eps });
    return b.one('rms_norm', [numerator], { dims: mean.dims, eps });
  }
  if (!centre) return null;
  // mean((x - mean)^2) over another copy of x - mean, or mean(x^2) - mean(x)^2.
  if (mean && squared != null) {
    const other = centred(b, squared);
    return other?.of === centre.of && other.dims === centre.dims && mean.dims === centre.dims
      ? b.one('layer_norm', [centre.of], { dims: centre.dims, eps })
      : null;
  }
  const node = b.producer(variance);
  if (node.op !== 'sub') return null;
  const second = meanOf(b, node.inputs[0]!);
  const first = squareOf(b, node.inputs[1]!);
  const firstMean = first === null ? null : meanOf(b, first);
  const fits =
    second?.dims === centre.dims &&
    squareOf(b, second.of) === centre.of &&
    firstMean?.of === centre.of &&
    firstMean.dims === centre.dims;
  return fits ? b.one('layer_norm', [centre.of], { dims: centre.dims, eps }) : null;
}

/** A weight or bias of the normalised dims, whatever size-1 dims stand before them. */
function parameterOf(b: GraphBuilder, value: ValueId, norm: Node): ValueId | null {
  const dims = number(norm.attrs, 'dims');
  const inner = b.shape(norm.outputs[0]!).slice(-dims);
  const shape = b.shape(value);
  const extra = shape.length - dims;
  if (extra < 0 || !sameShape(shape.slice(extra), inner) || shape.slice(0, extra).some((n) => n !== 1))
    return null;
  return b.reshape(value, inner);
}

/** A product that may be a norm, or a norm without weight times its weight; `onlyUse`: nothing else reads the norm. */
export function fuseNormProduct(
  b: GraphBuilder,
  node: Node,
  inputs: readonly ValueId[],
  onlyUse: (i: number) => boolean,
): ValueId | null {
  for (const i of node.op === 'div' ? [0] : [0, 1]) {
    const [x, y] = [inputs[i]!, inputs[1 - i]!];
    const root = underRoot(b, y, node.op === 'div');
    const fused = root === null ? null : normalised(b, x, root);
    if (fused !== null) return fused;
    const norm = b.producer(x);
    const plain = (norm.op === 'layer_norm' || norm.op === 'rms_norm') && norm.inputs.length === 1;
    if (node.op !== 'mul' || !plain || !onlyUse(i)) continue;
    const weight = parameterOf(b, y, norm);
    if (weight !== null) return b.one(norm.op, [norm.inputs[0]!, weight], norm.attrs);
  }
  return null;
}

/** A layer norm with weight plus its bias. */
export function fuseNormBias(
  b: GraphBuilder,
  inputs: readonly ValueId[],
  onlyUse: (i: number) => boolean,
): ValueId | null {
  for (const i of [0, 1]) {
    const norm = b.producer(inputs[i]!);
    if (norm.op !== 'layer_norm' || norm.inputs.length !== 2 || !onlyUse(i)) continue;
    const bias = parameterOf(b, inputs[1 - i]!, norm);
    if (bias !== null) return b.one('layer_norm', [...norm.inputs, bias], norm.attrs);
  }
  return null;
}
