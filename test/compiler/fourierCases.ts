/** Graphs with Fourier transforms, for {@link cases}. */
import type { Attrs, ValueId } from '../../extension/core/compiler/graph.js';
import { randomArray, type TestGraph } from './graphs.js';

type Check = (name: string, build: (g: TestGraph, random: () => number) => readonly ValueId[]) => void;
type Op = (name: string, shapes: readonly (readonly number[])[], attrs: Attrs) => void;

export function fourierCases(check: Check, op: Op): void {
  // Lengths with and without a middle bin, more and fewer elements than points, in other orders of the dims.
  for (const [n, given, length] of [
    [1, 1, 1],
    [2, 2, 2],
    [7, 5, 7],
    [8, 8, 6],
    [12, 9, 12],
  ] as const) {
    op('fft', [[2, 3, given]], { n, inverse: false, scale: 0.5, length });
    op(
      'fft',
      [
        [2, 3, given],
        [2, 3, given],
      ],
      { n, inverse: true, scale: 1, length },
    );
    const bins = Math.floor(n / 2) + 1;
    op('rfft', [[3, given]], { n, scale: 0.5, interior: 1, length: bins });
    op('rfft', [[2, 2, 2, given]], { n, scale: 1, interior: 2, length: Math.ceil(bins / 2) });
    op(
      'irfft',
      [
        [3, bins],
        [3, bins],
      ],
      { n, scale: 0.5, interior: 1, length },
    );
    op(
      'irfft',
      [
        [2, 2, 1],
        [2, 2, 1],
      ],
      { n, scale: 1, interior: 0.5, length: given },
    );
  }
  check('a convolution over the middle dim by transforms', (g, random) => {
    const [x, w] = [g.parameter(randomArray([2, 5, 3], random)), g.parameter(randomArray([3, 5], random))];
    const attrs = { n: 10, scale: 1, interior: 1, length: 6 };
    const [xr, xi] = g.emit('rfft', [g.permute(x, [0, 2, 1])], attrs) as [ValueId, ValueId];
    const [wr, wi] = g.emit('rfft', [w], attrs) as [ValueId, ValueId];
    const re = g.sub(g.mul(xr, wr), g.mul(xi, wi));
    const im = g.add(g.mul(xr, wi), g.mul(xi, wr));
    const y = g.one('irfft', [re, im], { n: 10, scale: 0.1, interior: 1, length: 10 });
    return [g.permute(g.narrow(y, 2, 0, 5), [0, 2, 1])];
  });
}
