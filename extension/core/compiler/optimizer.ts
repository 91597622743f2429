/** The end of a training step: the norm of all gradients, then AdamW per parameter group. */
import type { StateLayout } from './compiled.js';
import type { ParameterGroup, Trace } from './graph.js';
import { isTrained } from './layout.js';
import type { KernelList } from './lower/kernel.js';
import type { View } from './lower/view.js';
import { product } from './lower/view.js';

/** Matrices decay, vectors do not: nanoGPT's recipe, used when a model has no `configure_optimizers`. */
const DEFAULT_DECAY = 0.1;

export function parameterGroups(trace: Trace, decay = DEFAULT_DECAY): readonly ParameterGroup[] {
  if (trace.optimizer) return trace.optimizer;
  const trained = [...trace.state.keys()].filter((index) => isTrained(trace.state[index]!));
  const isMatrix = (index: number) => trace.state[index]!.type.shape.length >= 2;
  const recipe = { lrScale: 1, betas: [0.9, 0.95], eps: 1e-8 } as const;
  return [
    { ...recipe, parameters: trained.filter(isMatrix), weightDecay: decay },
    { ...recipe, parameters: trained.filter((index) => !isMatrix(index)), weightDecay: 0 },
  ];
}

/**
 * Appends the optimizer. `gradients` are row-major views by index of the state; a parameter without a gradient stays as it
 * is. `hyper` is f32 [4]: learning rate, step, gradient-norm limit, unused; `gradNorm` f32 [].
 */
export function appendOptimizer(
  list: KernelList,
  trace: Trace,
  layout: StateLayout,
  gradients: ReadonlyMap<number, View>,
  parameterView: (index: number) => View,
  hyper: View,
  gradNorm: View,
): void {
  if (gradients.size === 0) return;
  const common = { phase: 'optimizer', parts: [{ stack: 0, scope: 0, weight: 1 }] } as const;
  const all = [...gradients.values()];
  const elements = all.reduce((total, view) => total + product(view.shape), 0);
  list.kernels.push({
    ...common,
    op: 'grad_norm',
    operands: [gradNorm, ...all],
    outputs: 1,
    updates: [],
    ints: [],
    floats: [],
    flops: 2 * elements,
  });
  for (const group of parameterGroups(trace)) {
    const members = group.parameters.filter((index) => gradients.has(index) && layout.moments.has(index));
    if (members.length === 0) continue;
    const operands: View[] = [hyper, gradNorm];
    for (const index of members) {
      const { first, second } = layout.moments.get(index)!;
      const parameter = parameterView(index);
      const moment = (byteOffset: number) =>
        list.buffer(
          { storage: 'f32', elements: product(parameter.shape), segment: 'state', byteOffset },
          parameter.shape,
        );
      operands.push(parameter, gradients.get(index)!, moment(first), moment(second));
    }
    list.kernels.push({
      ...common,
      op: 'adamw',
      operands,
      outputs: 0,
      updates: [],
      ints: [],
      floats: [group.lrScale, group.weightDecay, group.betas[0], group.betas[1], group.eps],
      flops: 14 * members.reduce((total, index) => total + product(gradients.get(index)!.shape), 0),
    });
  }
}
