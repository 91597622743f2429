/** Recurrences other than wkv6 and wkv7: gla, wkv4, selective_scan, short_conv and lstm. */
import type { Node } from '../graph.js';
import type { Opcode } from '../program.js';
import { type Lowering, unitRows } from './lowering.js';
import { contiguous } from './neural.js';
import type { Accept, Call, KernelRule } from './rule.js';
import { flagAttr, numberAttr } from './table.js';
import type { View } from './view.js';

/** Rows of sequences [B, T, ..] may have any strides outside; all else is row-major. */
function sequences(places: ReadonlySet<number>): (lowering: Lowering, node: Node, index: number) => Accept {
  return (_, __, index) => (places.has(index) ? unitRows : contiguous);
}

function list(call: Call, count: number, first = 0): View[] {
  return Array.from({ length: count }, (_, i) => call.input(first + i));
}

type Floats = (call: Call) => number[];
const none: Floats = () => [];
const scale: Floats = ({ node }) => [numberAttr(node, 'scale')];

/** `count` inputs, of which `places` are sequences, and perhaps a state; (y, state?, saved?). */
function scan(op: Opcode, count: number, places: readonly number[], floats = none): KernelRule {
  return {
    input: sequences(new Set(places)),
    output: sequences(new Set([0])),
    emit: (call) => {
      const outputs = [call.output(0), call.optionalOutput(1), call.optionalOutput(2)];
      call.emit(op, outputs, [...list(call, count), call.optionalInput(count)], [], floats(call));
    },
  };
}

/**
 * Inputs (dy, the forward operation's, saved, dstate?); one gradient per input, of which those from `needed` on are made
 * when they are read, and perhaps one of the state.
 */
function scanGrad(
  op: Opcode,
  count: number,
  places: readonly number[],
  floats = none,
  needed = count,
): KernelRule {
  return {
    input: sequences(new Set([0, ...places.map((place) => place + 1)])),
    output: sequences(new Set(places)),
    emit: (call) => {
      const [takes, gives] = [flagAttr(call.node, 'stateIn'), flagAttr(call.node, 'stateOut')];
      const gradients = Array.from({ length: count }, (_, i) =>
        i < needed ? call.output(i) : call.optionalOutput(i),
      );
      const [dy, saved] = [call.input(0), call.input(count + 1)];
      const dstateOut = gives ? call.input(count + 2) : null;
      call.emit(
        op,
        [...gradients, takes ? call.optionalOutput(count) : null],
        [dy, dstateOut, saved, ...list(call, count, 1)],
        [],
        floats(call),
      );
    },
  };
}

/** A bias of zeros is left out. */
const shortConv: KernelRule = {
  input: sequences(new Set([0])),
  output: sequences(new Set([0])),
  emit: (call) => {
    const { table } = call.lowering;
    const from = table.node(table.base(call.node.inputs[2]!));
    const none = from?.op === 'full' && numberAttr(from, 'value') === 0;
    const inputs = [call.input(0), call.input(1), none ? null : call.input(2), call.optionalInput(3)];
    call.emit('short_conv', [call.output(0), call.optionalOutput(1)], inputs);
  },
};

/** Inputs (dy, x, w, state?, dstateOut?). */
const shortConvGrad: KernelRule = {
  input: sequences(new Set([0, 1])),
  output: sequences(new Set([0])),
  emit: (call) => {
    const [takes, gives] = [flagAttr(call.node, 'stateIn'), flagAttr(call.node, 'stateOut')];
    const [dy, x, w] = list(call, 3);
    const outputs = [call.output(0), call.output(1), call.optionalOutput(2), call.optionalOutput(3)];
    const dstateOut = gives ? call.input(takes ? 4 : 3) : null;
    call.emit('short_conv_grad', outputs, [dy!, dstateOut, x!, w!, takes ? call.input(3) : null]);
  },
};

const precision = ({ lowering }: Call): number[] => [lowering.bf16 ? 1 : 0];

const lstm: KernelRule = {
  input: sequences(new Set([0])),
  output: sequences(new Set([0])),
  emit: (call) => {
    const saves = call.node.outputs.length > 2;
    const outputs = [
      call.output(0),
      call.optionalOutput(1),
      saves ? call.output(2) : null,
      saves ? call.output(3) : null,
    ];
    const states = [call.optionalInput(2), call.optionalInput(3)];
    call.emit('lstm', outputs, [call.input(0), call.input(1), ...states], precision(call));
  },
};

const lstmGrad: KernelRule = {
  input: sequences(new Set([0])),
  output: sequences(new Set([0])),
  emit: (call) => {
    const [takes, gives] = [flagAttr(call.node, 'stateIn'), flagAttr(call.node, 'stateOut')];
    const dstates = takes ? [call.optionalOutput(1), call.optionalOutput(2)] : [null, null];
    const [dy, weight, active, cells] = list(call, 4);
    const c0 = takes ? call.input(4) : null;
    const dcell = gives ? call.input(takes ? 5 : 4) : null;
    call.emit(
      'lstm_grad',
      [call.output(0), ...dstates],
      [dy!, dcell, weight!, active!, cells!, c0],
      precision(call),
    );
  },
};

export const SCAN_RULES: Readonly<Record<string, KernelRule>> = {
  gla: scan('gla', 4, [0, 1, 2, 3], scale),
  gla_grad: scanGrad('gla_grad', 4, [0, 1, 2, 3], scale, 3),
  wkv4: scan('wkv4', 4, [2, 3]),
  wkv4_grad: scanGrad('wkv4_grad', 4, [2, 3]),
  selective_scan: scan('selective_scan', 5, [0, 1, 3, 4]),
  selective_scan_grad: scanGrad('selective_scan_grad', 5, [0, 1, 3, 4]),
  short_conv: shortConv,
  short_conv_grad: shortConvGrad,
  lstm,
  lstm_grad: lstmGrad,
};
