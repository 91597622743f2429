/** Recurrences other than wkv6 and wkv7, and short_conv, in the reference executor: operands to the inputs and outputs of the operation. */
import type { Attrs } from '../graph.js';
import { array } from '../ops/arrays.js';
import { operation } from '../ops/table.js';
import type { Instruction, Opcode } from '../program.js';
import type { Memory } from './memory.js';

type Operands = readonly (Memory | null)[];
type Run = (operands: Operands, instruction: Instruction) => void;

/** What an operation reads: an operand, or zeros of a shape. */
type Given = Memory | { readonly shape: readonly number[] };

/** Runs an operation that may make more than is wanted: its own rule says how large everything is. */
function evaluate(op: string, outputs: Operands, inputs: readonly (Given | null)[], attrs: Attrs): void {
  const given = inputs.filter((memory) => memory !== null);
  const types = given.map(({ shape }) => ({ dtype: 'f32' as const, shape }));
  const context = { constants: [], random: Math.random, types };
  const arrays = given.map((memory) =>
    'read' in memory ? { shape: memory.shape, data: memory.read() } : array(memory.shape),
  );
  const row = operation(op);
  const results = row.evaluate!(arrays, attrs, row.infer(types, attrs, undefined), context);
  outputs.forEach((memory, i) => memory?.write(results[i]!.data));
}

/** Attributes that an instruction keeps in its numbers. */
type Own = (instruction: Instruction) => Attrs;
const none: Own = () => ({});
const scale: Own = ({ floats }) => ({ scale: floats[0]! });

/** (`outputs` outputs, inputs..); all that is kept for the gradient is made. */
const scan =
  (op: string, outputs: number, own = none): Run =>
  (operands, instruction) =>
    evaluate(op, operands.slice(0, outputs), operands.slice(outputs), { ...own(instruction), save: true });

/** (gradients.., dstateIn?, dy, dstateOut?, saved, inputs..) */
const scanGrad =
  (op: string, count: number, own = none): Run =>
  (operands, instruction) => {
    const outputs = operands.slice(0, count + 1);
    const [dy, dstateOut, saved, ...inputs] = operands.slice(count + 1);
    const attrs = { ...own(instruction), stateIn: outputs[count] !== null, stateOut: dstateOut !== null };
    evaluate(op, outputs, [dy!, ...inputs, saved!, dstateOut!], attrs);
  };

function lstmGrad([dgates, dh0, dc0, dy, dcell, weight, active, cells, c0]: Operands): void {
  const attrs = { stateIn: c0 !== null, stateOut: dcell !== null };
  evaluate('lstm_grad', [dgates!, dh0!, dc0!], [dy!, weight!, active!, cells!, c0!, dcell!], attrs);
}

function shortConv([y, stateOut, x, w, bias, stateIn]: Operands): void {
  const inputs = [x!, w!, bias ?? { shape: [x!.shape[2]!] }, stateIn!];
  evaluate('short_conv', [y!, stateOut!], inputs, {});
}

function shortConvGrad([dx, dw, dbias, dstateIn, dy, dstateOut, x, w, stateIn]: Operands): void {
  const attrs = { stateIn: stateIn !== null, stateOut: dstateOut !== null };
  evaluate('short_conv_grad', [dx!, dw!, dbias!, dstateIn!], [dy!, x!, w!, stateIn!, dstateOut!], attrs);
}

export type ScanOpcode = Extract<
  Opcode,
  `gla${string}` | `wkv4${string}` | `selective_scan${string}` | `short_conv${string}` | `lstm${string}`
>;

export const SCAN_KERNELS: Readonly<Record<ScanOpcode, Run>> = {
  gla: scan('gla', 3, scale),
  gla_grad: scanGrad('gla_grad', 4, scale),
  wkv4: scan('wkv4', 3),
  wkv4_grad: scanGrad('wkv4_grad', 4),
  selective_scan: scan('selective_scan', 3),
  selective_scan_grad: scanGrad('selective_scan_grad', 5),
  short_conv: shortConv,
  short_conv_grad: shortConvGrad,
  lstm: scan('lstm', 4),
  lstm_grad: lstmGrad,
};
