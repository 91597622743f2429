/** The `fused` opcode, one element at a time in float64 (or in integers for lane i64). */
import { FUSED_OPS, type FusedOp, type Instruction } from '../program.js';
import { type Memory, indices } from './memory.js';
import { erf } from './special.js';

type Scalar = (a: number, b: number, c: number) => number;
const bit = (condition: boolean) => (condition ? 1 : 0);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const cdf = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2));
const tanhInner = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

function geluTanhGrad(dy: number, x: number): number {
  const t = Math.tanh(tanhInner(x));
  const slope = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
  return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope);
}

const big = (f: (a: bigint, b: bigint) => bigint): Scalar => {
  return (a, b) => Number(BigInt.asIntN(64, f(BigInt(Math.trunc(a)), BigInt(Math.trunc(b)))));
};

const SCALARS: Readonly<Record<Exclude<FusedOp, 'index'>, Scalar>> = {
  copy: (a) => a,
  where: (a, b, c) => (a !== 0 ? b : c),
  neg: (a) => -a,
  exp: Math.exp,
  exp2: (a) => 2 ** a,
  log: Math.log,
  log2: Math.log2,
  log1p: Math.log1p,
  expm1: Math.expm1,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  sigmoid,
  relu: (a) => (a < 0 ? 0 : a),
  gelu: (a) => a * cdf(a),
  gelu_tanh: (a) => 0.5 * a * (1 + Math.tanh(tanhInner(a))),
  silu: (a) => a * sigmoid(a),
  softplus: (a) => (a > 20 ? a : Math.log1p(Math.exp(a))),
  sqrt: Math.sqrt,
  rsqrt: (a) => 1 / Math.sqrt(a),
  abs: Math.abs,
  sign: Math.sign,
  square: (a) => a * a,
  reciprocal: (a) => 1 / a,
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  trunc: Math.trunc,
  isnan: (a) => bit(Number.isNaN(a)),
  isinf: (a) => bit(Math.abs(a) === Infinity),
  logical_not: (a) => bit(a === 0),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  remainder: (a, b) => a - b * Math.floor(a / b),
  floor_divide: (a, b) => Math.floor(a / b),
  atan2: Math.atan2,
  eq: (a, b) => bit(a === b),
  ne: (a, b) => bit(a !== b),
  lt: (a, b) => bit(a < b),
  le: (a, b) => bit(a <= b),
  gt: (a, b) => bit(a > b),
  ge: (a, b) => bit(a >= b),
  logical_and: (a, b) => bit(a !== 0 && b !== 0),
  logical_or: (a, b) => bit(a !== 0 || b !== 0),
  logical_xor: (a, b) => bit((a !== 0) !== (b !== 0)),
  bitwise_and: big((a, b) => a & b),
  bitwise_or: big((a, b) => a | b),
  bitwise_xor: big((a, b) => a ^ b),
  shift_left: big((a, b) => a << b),
  shift_right: big((a, b) => a >> b),
  fma: (a, b, c) => a * b + c,
  gelu_grad: (dy, x) => dy * (cdf(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI)),
  gelu_tanh_grad: geluTanhGrad,
  silu_grad: (dy, x) => dy * sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  softplus_grad: (dy, x) => (x > 20 ? dy : dy * sigmoid(x)),
  tanh_grad: (dy, y) => dy * (1 - y * y),
  sigmoid_grad: (dy, y) => dy * y * (1 - y),
};

const REDUCE: readonly { start: number; join: (a: number, b: number) => number }[] = [
  { start: 0, join: (_, b) => b },
  { start: 0, join: (a, b) => a + b },
  { start: -Infinity, join: (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b)) },
  { start: Infinity, join: (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.min(a, b)) },
  { start: 1, join: (a, b) => a * b },
];

export function runFused(instruction: Instruction, operands: readonly (Memory | null)[]): void {
  const { ints, floats } = instruction;
  const [lane, outputCount] = [ints[0]!, ints[1]!];
  const outputs = operands.slice(0, outputCount) as Memory[];
  const inputs = operands.slice(outputCount) as Memory[];
  const head = (output: number, field: number) => ints[3 + 3 * output + field]!;
  const code = ints.slice(3 + 3 * outputCount);
  const registers = new Float64Array(128 + floats.length);
  registers.set(floats, 128);
  const sums = outputs.map(() => new Map<number, number>());
  const shape = (outputs[0] ?? inputs[0])!.shape;
  for (const index of indices(shape)) {
    inputs.forEach((input, i) => (registers[i] = input.get(input.at(index))));
    for (let at = 0; at < code.length; at += 5) {
      const op = FUSED_OPS[code[at]!]!;
      const [target, a, b, c] = code.slice(at + 1, at + 5) as [number, number, number, number];
      if (op === 'index') registers[target] = index[a]!;
      else {
        const value = SCALARS[op](registers[a]!, registers[b]!, registers[c]!);
        registers[target] = lane === 1 ? Math.trunc(value) : value;
      }
    }
    for (const [i, output] of outputs.entries()) {
      const value = registers[head(i, 1)]!;
      const position = output.at(index);
      const reduction = head(i, 0);
      if (reduction === 0) output.set(position, value);
      else {
        const { start, join } = REDUCE[reduction]!;
        sums[i]!.set(position, join(sums[i]!.get(position) ?? start, value));
      }
    }
  }
  for (const [i, output] of outputs.entries()) {
    for (const [position, value] of sums[i]!) {
      output.set(position, value + (head(i, 2) === 1 ? output.get(position) : 0));
    }
  }
}
