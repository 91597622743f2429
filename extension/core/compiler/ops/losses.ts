/** Softmax and the losses over classes. */
import type { Attrs, TensorType, ValueId } from '../graph.js';
import type { GraphBuilder } from '../build.js';
import { elementCount, range, sameShape, show } from '../shapes.js';
import { alongDim, array, mapElements } from './arrays.js';
import { arity, dimOf, flag, GraphError, number, text, type NdArray, type Row } from './operation.js';

/** log of the sum of exponentials, without overflow. */
export function logSumExp(line: Float64Array): number {
  const top = line.reduce((a, b) => Math.max(a, b), -Infinity);
  if (top === -Infinity) return -Infinity;
  return top + Math.log(line.reduce((a, b) => a + Math.exp(b - top), 0));
}

/** Runs an operation of the last dim with `dim` moved there. */
function onLastDim(op: string): NonNullable<Row['decompose']> {
  return (b, inputs, attrs) => {
    const rank = b.shape(inputs[0]!).length;
    const dim = dimOf(attrs, rank);
    const dims = { dim: Math.max(0, rank - 1) };
    if (dim >= rank - 1) return attrs['dim'] === dims.dim ? null : b.emit(op, inputs, dims);
    const order = [...range(0, rank).filter((d) => d !== dim), dim];
    const moved = inputs.map((x) => b.permute(x, order));
    const y = b.one(op, moved, dims);
    return [
      b.permute(
        y,
        order.map((_, i) => order.indexOf(i)),
      ),
    ];
  };
}

function softmaxLike(op: string, line: (x: Float64Array, out: Float64Array) => void): Row {
  return {
    infer: (inputs, attrs) => {
      arity(inputs, 1);
      dimOf(attrs, inputs[0]!.shape.length);
      return [inputs[0]!];
    },
    decompose: onLastDim(op),
    vjp: ({ b, outputs, attrs, dys }) => [
      dys[0] == null ? null : b.one(`${op}_grad`, [dys[0], outputs[0]!], attrs),
    ],
    flops: ([x]) => 5 * elementCount(x!.shape),
    evaluate: ([x], attrs) => {
      const dim = dimOf(attrs, x!.shape.length);
      return [array(x!.shape, alongDim(x!, dim, x!.shape[dim] ?? 1, line).data)];
    },
  };
}

/** `weigh` gives what is summed over a line, `combine` the gradient from dy, y and that sum. */
function softmaxGradient(
  op: string,
  weigh: (dy: number, y: number) => number,
  combine: (dy: number, y: number, total: number) => number,
): Row {
  return {
    infer: (inputs) => {
      arity(inputs, 2);
      if (!sameShape(inputs[0]!.shape, inputs[1]!.shape)) throw new GraphError('dy and y differ in shape');
      return [inputs[0]!];
    },
    decompose: onLastDim(op),
    flops: ([x]) => 4 * elementCount(x!.shape),
    evaluate: ([dy, y], attrs) => {
      const weighed = mapElements([dy!, y!], y!.shape, (a, b) => weigh(a, b));
      const total = alongDim(weighed, dimOf(attrs, y!.shape.length), 1, (line, out) => {
        out[0] = line.reduce((a, b) => a + b, 0);
      });
      const sums = array(y!.shape.length === 0 ? [] : total.shape, total.data);
      return [mapElements([dy!, y!, sums], y!.shape, (a, b, s) => combine(a, b, s))];
    },
  };
}

interface Loss {
  readonly ignoreIndex: number;
  readonly reduction: string;
  readonly smoothing: number;
}

function lossAttrs(attrs: Attrs): Loss {
  return {
    ignoreIndex: number(attrs, 'ignoreIndex', -100),
    reduction: attrs['reduction'] === undefined ? 'mean' : text(attrs, 'reduction'),
    smoothing: number(attrs, 'labelSmoothing', 0),
  };
}

function inferLoss(inputs: readonly TensorType[], attrs: Attrs): TensorType {
  const [logits, targets] = inputs as [TensorType, TensorType];
  if (logits.shape.length !== 2 || !sameShape(targets.shape, [logits.shape[0]!]))
    throw new GraphError(`takes [N, C] and [N], not ${show(logits.shape)} and ${show(targets.shape)}`);
  return { dtype: logits.dtype, shape: lossAttrs(attrs).reduction === 'none' ? [logits.shape[0]!] : [] };
}

/** Reduces losses of rows; ignored rows are null. */
function reduceLoss(rows: readonly (number | null)[], reduction: string): number[] {
  if (reduction === 'none') return rows.map((value) => value ?? 0);
  const counted = rows.filter((value) => value !== null);
  const total = counted.reduce((a, b) => a + b, 0);
  return [reduction === 'sum' ? total : total / counted.length];
}

/** Calls `f` with every row that is not ignored. */
function forRows(
  x: NdArray,
  targets: NdArray,
  loss: Loss,
  f: (line: Float64Array, target: number, row: number) => void,
): void {
  const classes = x.shape[1]!;
  targets.data.forEach((target, row) => {
    if (target === loss.ignoreIndex) return;
    if (!(target >= 0 && target < classes))
      throw new GraphError(`target ${target} is not one of ${classes} classes`);
    f(x.data.subarray(row * classes, (row + 1) * classes), target, row);
  });
}

/** -log p of the target, or 0 where ignored, as nodes. */
function nllNodes(b: GraphBuilder, [x, targets]: readonly ValueId[], attrs: Attrs): ValueId[] {
  const { ignoreIndex, reduction } = lossAttrs(attrs);
  const rows = b.shape(targets!)[0]!;
  const dtype = b.type(x!).dtype;
  const zero = b.scalar(0, dtype);
  const counts = b.one('ne', [targets!, b.scalarLike(ignoreIndex, targets!)]);
  const index = b.where(counts, targets!, b.scalarLike(0, targets!));
  const picked = b.reshape(b.one('gather', [x!, b.reshape(index, [rows, 1])], { dim: 1 }), [rows]);
  const losses = b.where(counts, b.unary('neg', picked), zero);
  if (reduction === 'none') return [losses];
  const total = b.sum(losses, [0]);
  return [reduction === 'sum' ? total : b.div(total, b.sum(b.cast(counts, dtype), [0]))];
}

const fullLoss = (attrs: Attrs): Attrs => {
  const { ignoreIndex, reduction, smoothing } = lossAttrs(attrs);
  return { ignoreIndex, reduction, labelSmoothing: smoothing };
};

export const lossRows: Record<string, Row> = {
  softmax: softmaxLike('softmax', (x, out) => {
    const total = logSumExp(x);
    x.forEach((value, i) => (out[i] = Math.exp(value - total)));
  }),
  log_softmax: softmaxLike('log_softmax', (x, out) => {
    const total = logSumExp(x);
    x.forEach((value, i) => (out[i] = value - total));
  }),
  softmax_grad: softmaxGradient(
    'softmax_grad',
    (dy, y) => dy * y,
    (dy, y, total) => y * (dy - total),
  ),
  log_softmax_grad: softmaxGradient(
    'log_softmax_grad',
    (dy) => dy,
    (dy, y, total) => dy - Math.exp(y) * total,
  ),
  cross_entropy: {
    infer: (inputs, attrs) => {
      arity(inputs, 2);
      const out = inferLoss(inputs, attrs);
      return flag(attrs, 'save') ? [out, { dtype: 'f32', shape: inputs[1]!.shape }] : [out];
    },
    saves: true,
    vjp: ({ b, inputs, outputs, attrs, dys }) => [
      dys[0] == null ? null : b.one('cross_entropy_grad', [dys[0], ...inputs, outputs[1]!], fullLoss(attrs)),
      null,
    ],
    flops: ([logits]) => 4 * elementCount(logits!.shape),
    evaluate: ([logits, targets], attrs, outputs) => {
      const loss = lossAttrs(attrs);
      const rows: (number | null)[] = new Array<null>(targets!.data.length).fill(null);
      const lse = new Float64Array(rows.length);
      const classes = logits!.shape[1]!;
      lse.forEach(
        (_, row) => (lse[row] = logSumExp(logits!.data.subarray(row * classes, (row + 1) * classes))),
      );
      forRows(logits!, targets!, loss, (line, target, row) => {
        const mean = line.reduce((a, b) => a + b, 0) / line.length;
        rows[row] = lse[row]! - (1 - loss.smoothing) * line[target]! - loss.smoothing * mean;
      });
      const value = array(outputs[0]!.shape, Float64Array.from(reduceLoss(rows, loss.reduction)));
      return outputs.length > 1 ? [value, array(targets!.shape, lse)] : [value];
    },
  },
  cross_entropy_grad: {
    infer: (inputs, attrs) => {
      arity(inputs, 4);
      inferLoss(inputs.slice(1), attrs);
      return [inputs[1]!];
    },
    flops: ([, logits]) => 4 * elementCount(logits!.shape),
    evaluate: ([dloss, logits, targets, lse], attrs) => {
      const loss = lossAttrs(attrs);
      const result = array(logits!.shape);
      const classes = logits!.shape[1]!;
      const counted = targets!.data.filter((target) => target !== loss.ignoreIndex).length;
      forRows(logits!, targets!, loss, (line, target, row) => {
        const dy =
          loss.reduction === 'none'
            ? dloss!.data[row]!
            : dloss!.data[0]! / (loss.reduction === 'mean' ? counted : 1);
        line.forEach((value, c) => {
          const wanted = loss.smoothing / classes + (c === target ? 1 - loss.smoothing : 0);
          result.data[row * classes + c] = dy * (Math.exp(value - lse!.data[row]!) - wanted);
        });
      });
      return [result];
    },
  },
  nll_loss: {
    infer: (inputs, attrs) => {
      arity(inputs, 2);
      return [inferLoss(inputs, attrs)];
    },
    decompose: nllNodes,
    evaluate: ([x, targets], attrs, [out]) => {
      const loss = lossAttrs(attrs);
      const rows: (number | null)[] = new Array<null>(targets!.data.length).fill(null);
      forRows(x!, targets!, loss, (line, target, row) => (rows[row] = -line[target]!));
      return [array(out!.shape, Float64Array.from(reduceLoss(rows, loss.reduction)))];
    },
  },
};
