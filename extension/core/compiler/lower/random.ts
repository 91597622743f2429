/** Random initialisation, constants and the generator's bookkeeping. */
import { contiguous } from './neural.js';
import type { Call, KernelRule } from './rule.js';
import { flagAttr, numberAttr } from './table.js';
import { product } from './view.js';

function draw(emit: (call: Call) => void): KernelRule {
  return { input: () => contiguous, output: () => contiguous, emit };
}

/** Every draw runs, in order, even when nobody reads its result: the stream must advance as PyTorch's does. */
export const RANDOM_RULES: Readonly<Record<string, KernelRule>> = {
  'rng.seed': draw((call) => call.emit('rng_seed', [], [], [numberAttr(call.node, 'seed')])),
  'rng.normal': draw((call) => {
    const small = flagAttr(call.node, 'small');
    if (!small && skipped(call, true)) return;
    const floats = [numberAttr(call.node, 'mean'), numberAttr(call.node, 'std')];
    call.emit('rng_normal', [call.output(0)], [], [small ? 1 : 0], floats);
  }),
  'rng.uniform': draw((call) => {
    if (skipped(call, false)) return;
    const floats = [numberAttr(call.node, 'low'), numberAttr(call.node, 'high')];
    call.emit('rng_uniform', [call.output(0)], [], [], floats);
  }),
  'rng.trunc_normal': draw((call) => {
    const floats = ['mean', 'std', 'low', 'high'].map((name) => numberAttr(call.node, name));
    call.emit('rng_trunc_normal', [call.output(0)], [], [], floats);
  }),
  'rng.orthogonal': {
    input: () => contiguous,
    output: (lowering, node) => {
      const shape = lowering.table.shape(node.outputs[0]!);
      const rows = shape[0]!;
      return (view) => {
        const whole = contiguous(view);
        return (
          whole && { ...whole, shape: [rows, product(shape) / rows], strides: [product(shape) / rows, 1] }
        );
      };
    },
    emit: (call) => call.emit('rng_orthogonal', [call.output(0)], [], [], [numberAttr(call.node, 'gain', 1)]),
  },
  'rng.randint': draw((call) => {
    const ints = [numberAttr(call.node, 'low'), numberAttr(call.node, 'high')];
    call.emit('rng_randint', [call.output(0)], [], ints);
  }),
  'rng.randperm': draw((call) => call.emit('rng_randperm', [call.output(0)], [])),
  'rng.bernoulli': draw((call) => {
    const p = call.node.inputs.length > 0 ? 0 : numberAttr(call.node, 'p');
    call.emit('rng_bernoulli', [call.output(0)], [call.optionalInput(0)], [], [p]);
  }),
  constant: draw((call) => {
    const blob = numberAttr(call.node, 'blob');
    const bytes = call.lowering.table.graph.constants[blob]!;
    call.emit('constant', [call.output(0)], [], [blob, bytes.length]);
  }),
};

/** A fill nobody reads advances the generator without writing. */
function skipped(call: Call, normal: boolean): boolean {
  const value = call.node.outputs[0]!;
  if (call.lowering.table.uses[value]!.length > 0) return false;
  call.emit('rng_skip', [], [], [call.lowering.table.count(value), normal ? 1 : 0]);
  return true;
}
