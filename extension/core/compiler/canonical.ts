/**
 * First pass: one way to write each thing. Precision is an axis of the experiment, not of the file, so every float
 * becomes f32 and every integer i64 (casts between floats are then identities); dims count from the front; dropout
 * stays only where it is active.
 */
import { GraphBuilder, rewrite } from './build.js';
import type { Attrs, DType, Graph, Node, TensorType } from './graph.js';
import { readConstant } from './ops/constants.js';
import { dimOf, dimsOf, integers, number } from './ops/operation.js';
import { isFloat } from './shapes.js';

/** How the engine stores an element type. */
export function storedDtype(dtype: DType): DType {
  if (dtype === 'bool') return 'bool';
  return isFloat(dtype) ? 'f32' : 'i64';
}

/** The bytes of a constant, written again in the stored type. */
function storedBytesOf(bytes: Uint8Array, type: TensorType): Uint8Array {
  const dtype = storedDtype(type.dtype);
  if (dtype === type.dtype) return bytes;
  const numbers = readConstant(bytes, type);
  const size = dtype === 'f32' ? 4 : 8;
  const view = new DataView(new ArrayBuffer(numbers.length * size));
  numbers.forEach((value, i) => {
    if (dtype === 'f32') view.setFloat32(i * size, value, true);
    else view.setBigInt64(i * size, BigInt(value), true);
  });
  return new Uint8Array(view.buffer);
}

/** Operations whose attribute `dims` lists dims of the first input. */
const WITH_DIMS = new Set(['sum', 'mean', 'amax', 'amin', 'prod']);

function canonicalAttrs(op: string, attrs: Attrs, rank: number): Attrs {
  if (op === 'permute') return { dims: integers(attrs, 'dims').map((dim) => (dim < 0 ? dim + rank : dim)) };
  if (WITH_DIMS.has(op)) return { ...attrs, dims: dimsOf(attrs, rank) };
  if (attrs['dim'] !== undefined) return { ...attrs, dim: dimOf(attrs, rank) };
  return attrs;
}

/** Rewrites dtypes, dims and constants; with `training` false all dropout goes, with true that of p = 0. */
export function canonical(graph: Graph, training: boolean): Graph {
  const constants = [...graph.constants];
  for (const node of graph.nodes) {
    if (node.op !== 'constant') continue;
    const blob = number(node.attrs, 'blob');
    const bytes = graph.constants[blob];
    if (bytes) constants[blob] = storedBytesOf(bytes, graph.values[node.outputs[0]!]!);
  }
  const stored: Graph = {
    ...graph,
    constants,
    values: graph.values.map(({ dtype, shape }) => ({ dtype: storedDtype(dtype), shape })),
  };
  return rewrite(stored, new GraphBuilder(stored), (b, node: Node, inputs) => {
    if (node.op === 'dropout' && (!training || number(node.attrs, 'p') === 0)) return [inputs[0]!];
    const rank = inputs[0] === undefined ? 0 : b.shape(inputs[0]).length;
    const types = node.outputs.map((id) => stored.values[id]!);
    return b.emit(node.op, inputs, canonicalAttrs(node.op, node.attrs, rank), types);
  });
}
