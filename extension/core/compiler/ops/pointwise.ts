/** Element-wise operations: one output element per (broadcast) input elements. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { broadcastShapes, elementCount, isFloat, isInteger } from '../shapes.js';
import { mapElements } from './arrays.js';
import {
  erf,
  gelu,
  geluGrad,
  geluTanh,
  geluTanhGrad,
  roundHalfEven,
  sigmoid,
  softplus,
} from './functions.js';
import { arity, declaredOne, GraphError, number, type Row, type Vjp } from './operation.js';

type Scalar = (...x: number[]) => number;

/** Output type of broadcasting all inputs; they must agree in dtype. */
function broadcastType(inputs: readonly TensorType[]): TensorType {
  const { dtype } = inputs[0]!;
  let { shape } = inputs[0]!;
  for (const input of inputs.slice(1)) {
    if (input.dtype !== dtype) throw new GraphError(`inputs have dtypes ${dtype} and ${input.dtype}`);
    shape = broadcastShapes(shape, input.shape);
  }
  return { dtype, shape };
}

function pointwise(count: number, scalar: (attrs: Attrs) => Scalar, vjp?: Vjp, infer?: Row['infer']): Row {
  return {
    infer: (inputs, attrs, declared) => {
      arity(inputs, count);
      return infer ? infer(inputs, attrs, declared) : [broadcastType(inputs)];
    },
    ...(vjp && { vjp }),
    scalar,
    flops: (_inputs, _attrs, outputs) => elementCount(outputs[0]!.shape),
    evaluate: (inputs, attrs, outputs) => [mapElements(inputs, outputs[0]!.shape, scalar(attrs))],
  };
}

type UnaryGradient = (b: GraphBuilder, dy: ValueId, x: ValueId, y: ValueId, attrs: Attrs) => ValueId;

function unary(f: Scalar, gradient?: UnaryGradient): Row {
  return unaryWith(() => f, gradient);
}

function unaryWith(scalar: (attrs: Attrs) => Scalar, gradient?: UnaryGradient): Row {
  return pointwise(
    1,
    scalar,
    gradient &&
      (({ b, inputs, outputs, attrs, dys }) => [
        dys[0] == null ? null : gradient(b, dys[0], inputs[0]!, outputs[0]!, attrs),
      ]),
  );
}

const toBool: Row['infer'] = (inputs) => [{ dtype: 'bool', shape: broadcastType(inputs).shape }];

const test1 = (f: (x: number) => boolean): Row => pointwise(1, () => (x) => Number(f(x)), undefined, toBool);
const test2 = (f: (a: number, b: number) => boolean): Row =>
  pointwise(2, () => (x, y) => Number(f(x, y)), undefined, toBool);

type BinaryGradient = (b: GraphBuilder, dy: ValueId, x: ValueId, y: ValueId, out: ValueId) => ValueId;

/** `da` and `db` give the gradient before it is summed down to the operand's shape. */
function binary(f: (a: number, b: number) => number, da?: BinaryGradient, db?: BinaryGradient): Row {
  const vjp: Vjp = ({ b, inputs, outputs, dys, wants }) => {
    const dy = dys[0];
    return [da, db].map((gradient, i) => {
      if (dy == null || !gradient || !wants(i)) return null;
      return b.unbroadcast(gradient(b, dy, inputs[0]!, inputs[1]!, outputs[0]!), b.shape(inputs[i]!));
    });
  };
  return pointwise(2, () => f, da || db ? vjp : undefined);
}

/** i64 operation on the bits. */
const bits = (f: (a: bigint, b: bigint) => bigint): Row =>
  binary((a, b) => Number(BigInt.asIntN(64, f(BigInt(a), BigInt(b)))));

/** Gradient of max and min: a tie is shared, except with a constant bound, which passes it whole (torch.clamp). */
const extreme =
  (strict: 'gt' | 'lt', mine: 0 | 1): BinaryGradient =>
  (b, dy, x, y) => {
    const [self, other] = mine === 0 ? [x, y] : [y, x];
    const zero = b.scalarLike(0, dy);
    const wins = b.one(strict, [self, other]);
    const half = b.uniform(other) === undefined ? 0.5 : 1;
    return b.add(b.where(wins, dy, zero), b.where(b.one('eq', [self, other]), b.scale(dy, half), zero));
  };

function powGradients(): [BinaryGradient, BinaryGradient] {
  return [
    (b, dy, x, y) => {
      const exponent = b.uniform(y);
      if (exponent === 2) return b.mul(dy, b.scale(x, 2));
      const lower = exponent === undefined ? b.sub(y, b.scalarLike(1, y)) : b.scalarLike(exponent - 1, y);
      return b.mul(dy, b.mul(y, b.one('pow', [x, lower])));
    },
    (b, dy, x, _y, out) => {
      const zero = b.scalarLike(0, dy);
      const slope = b.mul(dy, b.mul(out, b.unary('log', x)));
      return b.where(b.one('eq', [x, zero]), b.broadcastWith(zero, b.shape(slope)), slope);
    },
  ];
}

/** Gradient operation of two inputs: incoming gradient, and the input or output of the forward operation. */
const slope = (f: (dy: number, x: number, attrs: Attrs) => number): Row =>
  pointwise(2, (attrs) => (dy, x) => f(dy, x, attrs));

const log2 = Math.LN2;
const [powBase, powExponent] = powGradients();

const softplusSlope = (x: number, attrs: Attrs): number => {
  const scaled = x * number(attrs, 'beta', 1);
  return scaled > number(attrs, 'threshold', 20) ? 1 : sigmoid(scaled);
};

export const pointwiseRows: Record<string, Row> = {
  neg: unary(
    (x) => -x,
    (b, dy) => b.unary('neg', dy),
  ),
  exp: unary(
    (x) => Math.exp(x),
    (b, dy, _x, y) => b.mul(dy, y),
  ),
  exp2: unary(
    (x) => 2 ** x,
    (b, dy, _x, y) => b.scale(b.mul(dy, y), log2),
  ),
  log: unary(
    (x) => Math.log(x),
    (b, dy, x) => b.div(dy, x),
  ),
  log2: unary(
    (x) => Math.log2(x),
    (b, dy, x) => b.div(dy, b.scale(x, log2)),
  ),
  log1p: unary(
    (x) => Math.log1p(x),
    (b, dy, x) => b.div(dy, b.add(x, b.scalarLike(1, x))),
  ),
  expm1: unary(
    (x) => Math.expm1(x),
    (b, dy, _x, y) => b.mul(dy, b.add(y, b.scalarLike(1, y))),
  ),
  sin: unary(
    (x) => Math.sin(x),
    (b, dy, x) => b.mul(dy, b.unary('cos', x)),
  ),
  cos: unary(
    (x) => Math.cos(x),
    (b, dy, x) => b.unary('neg', b.mul(dy, b.unary('sin', x))),
  ),
  tan: unary(
    (x) => Math.tan(x),
    (b, dy, _x, y) => b.mul(dy, b.add(b.mul(y, y), b.scalarLike(1, y))),
  ),
  tanh: unary(
    (x) => Math.tanh(x),
    (b, dy, _x, y) => b.one('tanh_grad', [dy, y]),
  ),
  sigmoid: unary(
    (x) => sigmoid(x),
    (b, dy, _x, y) => b.one('sigmoid_grad', [dy, y]),
  ),
  relu: unary(
    (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    (b, dy, _x, y) => b.where(b.one('gt', [y, b.scalarLike(0, y)]), dy, b.scalarLike(0, dy)),
  ),
  gelu: unary(
    (x) => gelu(x),
    (b, dy, x) => b.one('gelu_grad', [dy, x]),
  ),
  gelu_tanh: unary(
    (x) => geluTanh(x),
    (b, dy, x) => b.one('gelu_tanh_grad', [dy, x]),
  ),
  silu: unary(
    (x) => x * sigmoid(x),
    (b, dy, x) => b.one('silu_grad', [dy, x]),
  ),
  /** Gradient 0 at 0, as torch.norm of a zero vector has. */
  sqrt: unary(
    (x) => Math.sqrt(x),
    (b, dy, _x, y) => {
      const zero = b.scalarLike(0, y);
      return b.where(b.one('eq', [y, zero]), zero, b.div(b.scale(dy, 0.5), y));
    },
  ),
  rsqrt: unary(
    (x) => 1 / Math.sqrt(x),
    (b, dy, _x, y) => b.scale(b.mul(dy, b.mul(y, b.mul(y, y))), -0.5),
  ),
  abs: unary(
    (x) => Math.abs(x),
    (b, dy, x) => b.mul(dy, b.unary('sign', x)),
  ),
  sign: unary((x) => Math.sign(x)),
  square: unary(
    (x) => x * x,
    (b, dy, x) => b.mul(dy, b.scale(x, 2)),
  ),
  reciprocal: unary(
    (x) => 1 / x,
    (b, dy, _x, y) => b.unary('neg', b.mul(dy, b.mul(y, y))),
  ),
  erf: unary(
    (x) => erf(x),
    (b, dy, x) =>
      b.scale(b.mul(dy, b.unary('exp', b.unary('neg', b.unary('square', x)))), 2 / Math.sqrt(Math.PI)),
  ),
  floor: unary((x) => Math.floor(x)),
  ceil: unary((x) => Math.ceil(x)),
  round: unary((x) => roundHalfEven(x)),
  trunc: unary((x) => Math.trunc(x)),
  isnan: test1((x) => Number.isNaN(x)),
  isinf: test1((x) => x === Infinity || x === -Infinity),
  logical_not: test1((x) => x === 0),
  softplus: unaryWith(
    (attrs) => (x) => softplus(x, number(attrs, 'beta', 1), number(attrs, 'threshold', 20)),
    (b, dy, x, _y, attrs) => b.one('softplus_grad', [dy, x], attrs),
  ),

  /** Output dtype is declared; float to integer truncates, to bool asks whether it is non-zero. */
  cast: {
    ...pointwise(
      1,
      () => (x) => x,
      ({ b, inputs, dys }) => [
        dys[0] == null || !isFloat(b.type(inputs[0]!).dtype)
          ? null
          : b.cast(dys[0], b.type(inputs[0]!).dtype),
      ],
      (inputs, _attrs, declared) => [{ dtype: declaredOne(declared).dtype, shape: inputs[0]!.shape }],
    ),
    flops: () => 0,
    evaluate: ([x], _attrs, [out]) => {
      const { dtype, shape } = out!;
      const convert: Scalar =
        dtype === 'bool' ? (v) => Number(v !== 0) : isInteger(dtype) ? (v) => Math.trunc(v) : (v) => v;
      return [mapElements([x!], shape, convert)];
    },
  },
  /** Identity without gradient. */
  detach: { ...pointwise(1, () => (x) => x), flops: () => 0, bytes: () => 0 },

  add: binary(
    (a, b) => a + b,
    (_b, dy) => dy,
    (_b, dy) => dy,
  ),
  sub: binary(
    (a, b) => a - b,
    (_b, dy) => dy,
    (b, dy) => b.unary('neg', dy),
  ),
  mul: binary(
    (a, b) => a * b,
    (b, dy, _x, y) => b.mul(dy, y),
    (b, dy, x) => b.mul(dy, x),
  ),
  div: binary(
    (a, b) => a / b,
    (b, dy, _x, y) => b.div(dy, y),
    (b, dy, _x, y, out) => b.unary('neg', b.div(b.mul(dy, out), y)),
  ),
  pow: binary((a, b) => a ** b, powBase, powExponent),
  maximum: binary(
    (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b)),
    extreme('gt', 0),
    extreme('gt', 1),
  ),
  minimum: binary(
    (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.min(a, b)),
    extreme('lt', 0),
    extreme('lt', 1),
  ),
  /** Python's sign rule: the result has the sign of the divisor. */
  remainder: binary(
    (a, b) => a - b * Math.floor(a / b),
    (_b, dy) => dy,
    (b, dy, x, y) => b.unary('neg', b.mul(dy, b.unary('floor', b.div(x, y)))),
  ),
  floor_divide: binary((a, b) => Math.floor(a / b)),
  atan2: binary(
    (a, b) => Math.atan2(a, b),
    (b, dy, x, y) => b.div(b.mul(dy, y), b.add(b.mul(x, x), b.mul(y, y))),
    (b, dy, x, y) => b.unary('neg', b.div(b.mul(dy, x), b.add(b.mul(x, x), b.mul(y, y)))),
  ),
  eq: test2((a, b) => a === b),
  ne: test2((a, b) => a !== b),
  lt: test2((a, b) => a < b),
  le: test2((a, b) => a <= b),
  gt: test2((a, b) => a > b),
  ge: test2((a, b) => a >= b),
  logical_and: test2((a, b) => a !== 0 && b !== 0),
  logical_or: test2((a, b) => a !== 0 || b !== 0),
  logical_xor: test2((a, b) => (a !== 0) !== (b !== 0)),
  bitwise_and: bits((a, b) => a & b),
  bitwise_or: bits((a, b) => a | b),
  bitwise_xor: bits((a, b) => a ^ b),
  shift_left: bits((a, b) => a << b),
  shift_right: bits((a, b) => a >> b),
  where: pointwise(
    3,
    () => (c, a, b) => (c !== 0 ? a : b),
    ({ b, inputs, dys, wants }) => {
      const dy = dys[0];
      if (dy == null) return [null, null, null];
      const zero = b.scalarLike(0, dy);
      return [
        null,
        wants(1) ? b.unbroadcast(b.where(inputs[0]!, dy, zero), b.shape(inputs[1]!)) : null,
        wants(2) ? b.unbroadcast(b.where(inputs[0]!, zero, dy), b.shape(inputs[2]!)) : null,
      ];
    },
    ([condition, a, b]) => {
      if (condition!.dtype !== 'bool') throw new GraphError(`the condition is ${condition!.dtype}, not bool`);
      const { dtype, shape } = broadcastType([a!, b!]);
      return [{ dtype, shape: broadcastShapes(shape, condition!.shape) }];
    },
  ),

  gelu_grad: slope((dy, x) => dy * geluGrad(x)),
  gelu_tanh_grad: slope((dy, x) => dy * geluTanhGrad(x)),
  silu_grad: slope((dy, x) => dy * sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
  softplus_grad: slope((dy, x, attrs) => dy * softplusSlope(x, attrs)),
  tanh_grad: slope((dy, y) => dy * (1 - y * y)),
  sigmoid_grad: slope((dy, y) => dy * y * (1 - y)),
};
