/** Matrix products: `linear` and `matmul` with bias, residual and scale folded in. */
import type { Node } from '../graph.js';
import { type Call } from './rule.js';
import type { KernelRule } from './rule.js';
import { flagAttr, numberAttr } from './table.js';
import { type View, expandView, permuteView, product, reshapeView } from './view.js';

/** One of the last two dims must be contiguous. */
function matrix(view: View): View | null {
  const rank = view.shape.length;
  const unit = (d: number) => view.shape[d] === 1 || view.strides[d] === 1;
  return unit(rank - 1) || unit(rank - 2) ? view : null;
}

function unitLast(view: View): boolean {
  const rank = view.shape.length;
  return view.shape[rank - 1] === 1 || view.strides[rank - 1] === 1;
}

/** Swaps the last two dims. */
export function transposed(view: View): View {
  const rank = view.shape.length;
  const dims = Array.from({ length: rank }, (_, d) => d);
  dims[rank - 1] = rank - 2;
  dims[rank - 2] = rank - 1;
  return permuteView(view, dims);
}

const hasBias = (node: Node) =>
  node.op === 'linear' && node.inputs.length === (flagAttr(node, 'residual') ? 4 : 3);

export const productRule: KernelRule = {
  input: (_, node, index) => {
    const residual = flagAttr(node, 'residual') && index === node.inputs.length - 1;
    if (residual) return (view) => (unitLast(view) ? view : null);
    return index === 2 ? (view) => (unitLast(view) ? view : null) : matrix;
  },
  output: (_, node) => {
    const plain = !hasBias(node) && !flagAttr(node, 'residual');
    return (view) => (unitLast(view) || (plain && matrix(view)) ? view : null);
  },
  emit: (call) => {
    const { node } = call;
    const a = call.input(0);
    const b = node.op === 'linear' ? transposed(call.input(1)) : call.input(1);
    const bias = hasBias(node) ? call.input(2) : null;
    const residual = flagAttr(node, 'residual') ? call.input(node.inputs.length - 1) : null;
    const c = call.output(0);
    if (unitLast(c)) emitProduct(call, c, a, b, bias, residual);
    else emitProduct(call, transposed(c), transposed(b), transposed(a), null, null);
  },
};

/** Joins batch dims where strides allow, so that the kernel sees as few and as large matrices as possible. */
function emitProduct(call: Call, c: View, a: View, b: View, bias: View | null, residual: View | null): void {
  const { lowering, node } = call;
  const rank = c.shape.length;
  const batch = c.shape.slice(0, rank - 2);
  const [m, n] = [c.shape[rank - 2]!, c.shape[rank - 1]!];
  const k = a.shape[rank - 1]!;
  const ints = [0, lowering.bf16 ? 1 : 0];
  const floats = [numberAttr(node, 'alpha', 1)];
  const emit = (views: readonly (View | null)[]) =>
    call.emit('matmul', [views[0]!], [views[1]!, views[2]!, bias, views[3] ?? null], ints, floats);

  const rows = product(batch) * m;
  const shared = product(b.shape.slice(0, rank - 2)) === 1;
  if (shared && product(a.shape.slice(0, rank - 2)) === product(batch)) {
    const flat = [
      reshapeView(c, [rows, n]),
      reshapeView(a, [rows, k]),
      reshapeView(b, [k, n]),
      residual && reshapeView(residual, [rows, n]),
    ];
    if (flat[0] && flat[1] && flat[2] && unitLast(flat[0]) && matrix(flat[1]) && (!residual || flat[3])) {
      emit(flat);
      return;
    }
  }
  const all = [c, expandView(a, [...batch, m, k]), expandView(b, [...batch, k, n]), residual];
  emit(joinBatch(all, rank - 2));
}

/** Drops batch dims of size 1 and joins neighbours that are contiguous together in every operand. */
function joinBatch(views: readonly (View | null)[], count: number): (View | null)[] {
  const shape = views[0]!.shape;
  const groups: number[][] = [];
  for (let d = 0; d < count; d++) {
    if (shape[d] === 1) continue;
    const last = groups[groups.length - 1];
    const outer = last?.[last.length - 1];
    const joins =
      outer !== undefined &&
      views.every((view) => !view || view.strides[outer] === view.strides[d]! * view.shape[d]!);
    if (joins) last!.push(d);
    else groups.push([d]);
  }
  return views.map(
    (view) =>
      view && {
        ...view,
        shape: [
          ...groups.map((group) => product(group.map((d) => view.shape[d]!))),
          ...view.shape.slice(count),
        ],
        strides: [
          ...groups.map((group) => view.strides[group[group.length - 1]!]!),
          ...view.strides.slice(count),
        ],
      },
  );
}
