/** Fourier transforms: kernels over [outer, rows, points] with any strides. */
import type { Opcode } from '../program.js';
import type { Accept, Call, KernelRule } from './rule.js';
import { flagAttr, numberAttr } from './table.js';
import { product, reshapeView } from './view.js';

/** Sees [a, b.., n] as [a, product of b, n], whatever the order in memory; fewer dims get outer ones of size 1. */
const transformed: Accept = (view) => {
  const { shape } = view;
  const n = shape[shape.length - 1]!;
  const outer = shape.length > 2 ? shape[0]! : 1;
  return reshapeView(view, [outer, product(shape.slice(shape.length > 2 ? 1 : 0, -1)), n]);
};

function transform(
  op: Opcode,
  outputs: number,
  attributes: (call: Call) => [number[], number[]],
): KernelRule {
  return {
    input: () => transformed,
    output: () => transformed,
    emit: (call) => {
      const made = Array.from({ length: outputs }, (_, i) => call.output(i));
      const inputs = [call.input(0), ...(op === 'rfft' ? [] : [call.optionalInput(1)])];
      call.emit(op, made, inputs, ...attributes(call));
    },
  };
}

const scaleOf = ({ node }: Call): number => numberAttr(node, 'scale', 1);
const real = (call: Call): [number[], number[]] => [
  [numberAttr(call.node, 'n')],
  [scaleOf(call), numberAttr(call.node, 'interior', 1)],
];

export const FOURIER_RULES: Readonly<Record<string, KernelRule>> = {
  fft: transform('fft', 2, (call) => [
    [numberAttr(call.node, 'n'), flagAttr(call.node, 'inverse') ? 1 : 0],
    [scaleOf(call)],
  ]),
  rfft: transform('rfft', 2, real),
  irfft: transform('irfft', 1, real),
};
