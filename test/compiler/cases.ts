/** One graph or more per operation, with small random parameters: shared by the tests of derivatives and of lowering. */
import type { Attrs, Trace, ValueId } from '../../extension/core/compiler/graph.js';
import type { NdArray } from '../../extension/core/compiler/ops/operation.js';
import { isFloat } from '../../extension/core/compiler/shapes.js';
import { fourierCases } from './fourierCases.js';
import { generator, randomArray, TestGraph } from './graphs.js';

type Build = (g: TestGraph, random: () => number) => readonly ValueId[];

export interface Case {
  readonly name: string;
  /** The loss is the sum of every float output times fixed weights. */
  readonly make: () => { graph: TestGraph; trace: Trace };
}

export const cases: Case[] = [];

function check(name: string, build: Build): void {
  const make = (): ReturnType<Case['make']> => {
    const random = generator(7);
    const g = new TestGraph();
    const outputs = build(g, random).filter((id) => isFloat(g.type(id).dtype));
    let loss = g.scalar(0);
    for (const [i, id] of outputs.entries()) {
      const weights = g.input(`weights${i}`, randomArray(g.shape(id), random, 0.5, 1.5), 'f32');
      const term = g.mul(id, weights);
      loss = g.add(
        loss,
        g.sum(
          term,
          g.shape(id).map((_, d) => d),
        ),
      );
    }
    return { graph: g, trace: g.trace({ loss }) };
  };
  cases.push({ name, make });
}

interface Range {
  readonly low?: number;
  readonly high?: number;
}

/** One operation over random parameters of the given shapes. */
function op(
  name: string,
  shapes: readonly (readonly number[])[],
  attrs: Attrs = {},
  range: Range = {},
): void {
  check(`${name} ${JSON.stringify(shapes)} ${JSON.stringify(attrs)}`, (g, random) =>
    g.emit(
      name,
      shapes.map((shape) => g.parameter(randomArray(shape, random, range.low, range.high))),
      attrs,
    ),
  );
}

const integersBelow = (shape: readonly number[], limit: number, random: () => number): NdArray => {
  const array = randomArray(shape, random, 0, limit);
  return { shape, data: array.data.map((x) => Math.floor(x)) };
};

const POSITIVE = { low: 0.3, high: 2 };

for (const name of [
  'neg',
  'exp',
  'exp2',
  'expm1',
  'sin',
  'cos',
  'tanh',
  'sigmoid',
  'relu',
  'gelu',
  'gelu_tanh',
  'silu',
])
  op(name, [[3, 5]]);
for (const name of ['abs', 'square', 'erf', 'reciprocal', 'floor', 'ceil', 'round', 'trunc', 'sign'])
  op(name, [[7]]);
for (const name of ['log', 'log2', 'log1p', 'sqrt', 'rsqrt']) op(name, [[2, 3]], {}, POSITIVE);
check('the length of rows, one of them zero', (g) => {
  const x = g.parameter({ shape: [2, 3], data: Float64Array.of(1, -2, 0.5, 3, 1, 2) });
  const zeros = g.parameter({ shape: [1, 3], data: new Float64Array(3) });
  const squares = g.sum(g.unary('square', g.cat([x, zeros], 0)), [1]);
  return [g.one('maximum', [g.unary('sqrt', squares), g.scalar(1e-12)])];
});
op('tan', [[5]], {}, { low: -1, high: 1 });
op('softplus', [[9]], { beta: 2, threshold: 1.5 });
for (const name of ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'atan2', 'floor_divide'])
  op(name, [
    [2, 1, 3],
    [5, 1],
  ]);
op('pow', [[3, 4], [4]], {}, POSITIVE);
for (const exponent of [-1, -0.5, 0, 0.5, 1, 2, 3, 2.5])
  check(`pow ${exponent}`, (g, random) => [
    g.one('pow', [g.parameter(randomArray([5], random, 0.4, 2)), g.scalar(exponent)]),
  ]);
op('remainder', [[7], [7]], {}, POSITIVE);
check('clamp at its bound', (g) => [
  g.one('minimum', [g.parameter({ shape: [2], data: Float64Array.of(0.2, 0.7) }), g.scalar(0.5)]),
]);
check('where', (g, random) => {
  const [a, b] = [g.parameter(randomArray([3, 1], random)), g.parameter(randomArray([4], random))];
  return [g.where(g.one('lt', [a, b]), g.mul(a, b), g.sub(a, b))];
});
check('detach', (g, random) => {
  const x = g.parameter(randomArray([4], random), { requiresGrad: false });
  return [g.mul(g.one('detach', [x]), g.parameter(randomArray([4], random)))];
});
check('cast', (g, random) => {
  const x = g.parameter(randomArray([3, 3], random));
  return [g.mul(g.cast(g.one('gt', [x, g.scalar(0)]), 'f32'), g.cast(g.cast(x, 'bf16'), 'f32'))];
});

check('reshape, permute, expand', (g, random) => {
  const x = g.parameter(randomArray([2, 3, 1], random));
  return [g.expand(g.permute(g.reshape(x, [3, 2, 1]), [1, 0, 2]), [5, 2, 3, 4])];
});
check('slice with steps', (g, random) => [
  g.slice(g.parameter(randomArray([5, 7], random)), [4, 1], [3, 3], [-2, 2]),
]);
check('slices that tile and overlap', (g, random) => {
  const x = g.parameter(randomArray([4, 6], random));
  return [
    g.narrow(x, 1, 0, 2),
    g.narrow(x, 1, 2, 3),
    g.narrow(x, 0, 1, 2),
    g.unary('exp', g.narrow(x, 1, 5, 1)),
  ];
});
check('slices that tile in two dims', (g, random) => {
  const x = g.parameter(randomArray([5, 6], random));
  return [
    g.unary('exp', g.slice(x, [0, 0], [2, 3])),
    g.unary('sin', g.slice(x, [0, 3], [2, 2])),
    g.unary('cos', g.slice(x, [3, 1], [2, 5])),
  ];
});
op(
  'cat',
  [
    [2, 3],
    [2, 1],
    [2, 2],
  ],
  { dim: -1 },
);
op('pad', [[2, 3]], { low: [1, 0], high: [0, 2], value: 3 });
op(
  'slice_scatter',
  [
    [5, 4],
    [2, 3],
  ],
  { starts: [3, 0], steps: [-2, 1] },
);
op('tril', [[2, 3, 4]], { diagonal: 1 });
op('triu', [[4, 3]], { diagonal: -1 });

for (const name of ['sum', 'mean', 'amax', 'amin', 'prod']) {
  op(name, [[3, 4, 2]], { dims: [0, 2], keepdim: false });
  op(name, [[3, 4]], { dims: [-1], keepdim: true });
}
op('sum', [[3, 2]], { dims: [], keepdim: false });
check('prod with zeros', (g, random) => {
  const x = g.parameter(randomArray([2, 4], random));
  g.stateArrays[0]!.data[1] = 0;
  return [g.one('prod', [x], { dims: [1], keepdim: false })];
});
op('cumsum', [[3, 4]], { dim: 0 });
op('cumprod', [[2, 4, 2]], { dim: 1 });
op('topk', [[3, 6]], { k: 2, dim: 1, largest: true });
op('sort', [[4, 3]], { dim: 0, descending: false });

op('matmul', [
  [3, 4],
  [4, 5],
]);
op('matmul', [
  [2, 3, 4],
  [4, 5],
]);
op('matmul', [
  [2, 1, 3, 4],
  [3, 4, 2],
]);
op('matmul', [
  [3, 4],
  [2, 4, 2],
]);
op('linear', [[2, 3, 4], [5, 4], [5]]);
op('linear', [
  [3, 4],
  [2, 4],
]);

check('embedding', (g, random) => [
  g.one('embedding', [
    g.parameter(randomArray([5, 3], random)),
    g.input('i', integersBelow([2, 7], 5, random)),
  ]),
]);
check('embedding of consecutive rows', (g, random) => [
  g.one('embedding', [
    g.parameter(randomArray([5, 3], random)),
    g.one('arange', [], { start: 1, step: 1 }, { dtype: 'i64', shape: [3] }),
  ]),
]);
check('index_select', (g, random) => [
  g.one(
    'index_select',
    [g.parameter(randomArray([2, 5, 3], random)), g.input('i', integersBelow([4], 5, random))],
    { dim: 1 },
  ),
]);
check('gather', (g, random) => [
  g.one(
    'gather',
    [g.parameter(randomArray([3, 5], random)), g.input('i', integersBelow([2, 4], 5, random))],
    { dim: 1 },
  ),
]);
for (const name of ['scatter', 'scatter_add'])
  check(name, (g, random) => {
    const index = g.input('i', { shape: [2, 2], data: Float64Array.of(0, 3, 2, 1) });
    return [
      g.one(
        name,
        [g.parameter(randomArray([3, 4], random)), index, g.parameter(randomArray([2, 3], random))],
        { dim: 1 },
      ),
    ];
  });

op('softmax', [[3, 5]], { dim: -1 });
op('softmax', [[3, 5, 2]], { dim: 1 });
op('log_softmax', [[2, 3, 4]], { dim: 0 });
op('layer_norm', [[2, 3, 5]], { dims: 1, eps: 1e-5 });
op('layer_norm', [[2, 3, 5], [5]], { dims: 1, eps: 1e-5 });
op(
  'layer_norm',
  [
    [2, 3, 5],
    [3, 5],
    [3, 5],
  ],
  { dims: 2, eps: 1e-3 },
);
op('rms_norm', [[3, 7]], { dims: 1, eps: 1e-6 });
op('rms_norm', [[2, 3, 7], [7]], { dims: 1, eps: 1e-6 });
op('group_norm', [[3, 6], [6], [6]], { groups: 2, eps: 64e-5 });
op('group_norm', [[2, 6, 3], [6], [6]], { groups: 3, eps: 1e-5 });
for (const reduction of ['mean', 'sum', 'none'])
  for (const [name, extra] of [
    ['cross_entropy', { labelSmoothing: 0.1 }],
    ['cross_entropy', { labelSmoothing: 0 }],
    ['nll_loss', {}],
  ] as const)
    check(`${name} ${reduction} ${JSON.stringify(extra)}`, (g, random) => {
      const targets = integersBelow([6], 5, random);
      targets.data[2] = -1;
      const logits = g.parameter(randomArray([6, 5], random));
      return [g.one(name, [logits, g.input('targets', targets)], { ignoreIndex: -1, reduction, ...extra })];
    });

op(
  'sdpa',
  [
    [2, 3, 5, 4],
    [2, 3, 5, 4],
    [2, 3, 5, 4],
  ],
  { causal: true, scale: 0.5, window: 0 },
);
op(
  'sdpa',
  [
    [4, 5, 3],
    [2, 7, 3],
    [2, 7, 2],
  ],
  { causal: true, scale: 0.7, window: 3 },
);
op(
  'sdpa',
  [
    [1, 2, 2, 3, 4],
    [1, 2, 1, 5, 4],
    [1, 2, 1, 5, 4],
  ],
  { causal: false, scale: 0.5, window: 0 },
);
op(
  'sdpa',
  [
    [2, 2, 3, 4],
    [2, 2, 5, 4],
    [2, 2, 5, 4],
    [2, 1, 3, 5],
  ],
  { causal: false, scale: 0.5, window: 0 },
);
op(
  'sdpa',
  [
    [2, 3, 4],
    [1, 3, 4],
    [1, 3, 4],
    [3, 3],
  ],
  { causal: true, scale: 0.5, window: 2 },
);
check('sdpa with a bool mask', (g, random) => {
  const [q, k, v] = [0, 1, 2].map(() => g.parameter(randomArray([2, 2, 4, 3], random))) as [
    number,
    number,
    number,
  ];
  const mask = g.input(
    'mask',
    { shape: [4, 4], data: Float64Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? 0 : 1)) },
    'bool',
  );
  return [g.one('sdpa', [q, k, v, mask], { causal: false, scale: 0.6, window: 0 })];
});
for (const [shape, first, last] of [
  [[2, 3, 5, 4], -4, 5],
  [[1, 3, 5, 4], -4, 1],
  [[2, 1, 5, 4], -2, 3],
  [[1, 1, 5, 4], 0, 0],
] as const)
  check(`weighted_attention ${JSON.stringify(shape)} within ${first} and ${last}`, (g, random) => {
    const part = (rows: number, size: number): ValueId =>
      g.parameter(randomArray([2, 3, rows, size], random));
    const [q, k, v] = [part(5, 3), part(4, 3), part(4, 2)];
    const weights = g.parameter(randomArray(shape, random));
    const band = g.one('triu', [g.one('tril', [weights], { diagonal: last - 1 })], { diagonal: first });
    return [g.one('weighted_attention', [q, k, v, band], { first, last })];
  });
op('conv1d', [[2, 4, 7], [6, 2, 3], [6]], { stride: 2, padding: 1, dilation: 1, groups: 2 });
op(
  'conv1d',
  [
    [2, 3, 6],
    [3, 1, 4],
  ],
  { stride: 1, padding: 3, dilation: 1, groups: 3 },
);
op(
  'conv1d',
  [
    [1, 3, 7],
    [2, 3, 2],
  ],
  { stride: 1, padding: 0, dilation: 2, groups: 1 },
);
op('conv1d', [[2, 3, 6], [3, 1, 4], [3]], { stride: 1, padding: 3, end: 0, dilation: 1, groups: 3 });
op('conv1d', [[2, 4, 9], [6, 2, 2], [6]], { stride: 2, padding: 1, end: -2, dilation: 1, groups: 2 });
check('dropout', (g, random) => [g.one('dropout', [g.parameter(randomArray([3, 4], random))], { p: 0.25 })]);

for (const tokens of [5, 19])
  for (const withState of [false, true]) {
    check(`wkv6 T=${tokens} state=${withState}`, (g, random) => {
      const shape = [2, tokens, 2, 3];
      const sequence = (low: number, high: number): ValueId =>
        g.parameter(randomArray(shape, random, low, high));
      const inputs = [sequence(-1, 1), sequence(-1, 1), sequence(-1, 1), sequence(-0.9, -0.1)];
      inputs.push(g.parameter(randomArray([2, 3], random)));
      if (withState) inputs.push(g.parameter(randomArray([2, 2, 3, 3], random)));
      return g.emit('wkv6', inputs);
    });
    for (const values of [3, 5])
      check(`wkv7 T=${tokens} state=${withState} values=${values}`, (g, random) => {
        const sequence = (low: number, high: number, size = 3): ValueId =>
          g.parameter(randomArray([1, tokens, 2, size], random, low, high));
        const inputs = [
          sequence(-1, 1),
          sequence(-0.6, -0.1),
          sequence(-1, 1),
          sequence(-1, 1, values),
          sequence(-0.5, 0),
          sequence(0, 0.5),
        ];
        if (withState) inputs.push(g.parameter(randomArray([1, 2, values, 3], random)));
        const outputs = g.emit('wkv7', inputs);
        return withState ? outputs : outputs.slice(0, 1);
      });
  }

for (const tokens of [5, 70])
  for (const [groups, heads, decays, withState] of [
    [2, 2, 3, false],
    [1, 2, 3, true],
    [1, 2, 1, true],
    [2, 2, 1, false],
  ] as const) {
    check(`gla T=${tokens} G=${groups} decays=${decays} state=${withState}`, (g, random) => {
      const sequence = (size: number, count: number, low = -1, high = 1): ValueId =>
        g.parameter(randomArray([2, tokens, count, size], random, low, high));
      const inputs = [sequence(3, groups), sequence(3, groups), sequence(4, heads)];
      inputs.push(sequence(decays, heads, -0.9, -0.1));
      if (withState) inputs.push(g.parameter(randomArray([2, heads, 3, 4], random)));
      const outputs = g.emit('gla', inputs, { scale: 0.5 });
      return withState ? outputs : outputs.slice(0, 1);
    });
  }

for (const [tokens, taps] of [
  [1, 4],
  [2, 8],
  [19, 3],
] as const)
  for (const withState of [false, true])
    check(`short_conv T=${tokens} taps=${taps} state=${withState}`, (g, random) => {
      const given = (shape: number[]): ValueId => g.parameter(randomArray(shape, random));
      const inputs = [given([2, tokens, 3]), given([3, taps]), given([3])];
      if (withState) inputs.push(given([2, taps - 1, 3]));
      const outputs = g.emit('short_conv', inputs);
      return withState ? outputs : outputs.slice(0, 1);
    });

for (const tokens of [5, 19])
  for (const withState of [false, true]) {
    check(`wkv4 T=${tokens} state=${withState}`, (g, random) => {
      const given = (shape: number[], low = -1, high = 1): ValueId =>
        g.parameter(randomArray(shape, random, low, high));
      const inputs = [given([3], -0.9, -0.1), given([3]), given([2, tokens, 3]), given([2, tokens, 3])];
      if (withState) {
        const rows = [given([2, 1, 3]), given([2, 1, 3], 0.5, 1.5), given([2, 1, 3])];
        inputs.push(g.one('cat', rows, { dim: 1 }));
      }
      const outputs = g.emit('wkv4', inputs);
      return withState ? outputs : outputs.slice(0, 1);
    });
    check(`selective_scan T=${tokens} state=${withState}`, (g, random) => {
      const given = (shape: number[], low = -1, high = 1): ValueId =>
        g.parameter(randomArray(shape, random, low, high));
      const inputs = [given([2, tokens, 3]), given([2, tokens, 3], 0.1, 0.9), given([3, 4], -1.5, -0.1)];
      inputs.push(given([2, tokens, 4]), given([2, tokens, 4]));
      if (withState) inputs.push(given([2, 3, 4]));
      const outputs = g.emit('selective_scan', inputs);
      return withState ? outputs : outputs.slice(0, 1);
    });
    check(`lstm T=${tokens} state=${withState}`, (g, random) => {
      const given = (shape: number[]): ValueId => g.parameter(randomArray(shape, random));
      const inputs = [given([2, tokens, 12]), given([12, 3])];
      if (withState) inputs.push(given([2, 3]), given([2, 3]));
      const outputs = g.emit('lstm', inputs);
      return withState ? outputs : outputs.slice(0, 1);
    });
  }

// The weight's gradient is left in the weight's own shape, after that of the activation has passed on.
check('a product with a weight of another shape', (g, random) => {
  const a = g.unary('exp', g.parameter(randomArray([6, 8], random)));
  const weight = g.reshape(g.parameter(randomArray([2, 4, 5], random)), [8, 5]);
  return [g.matmul(a, weight)];
});
check('a product from the left with a weight of another shape', (g, random) => {
  const a = g.unary('exp', g.parameter(randomArray([8, 6], random)));
  const weight = g.reshape(g.parameter(randomArray([5, 2, 4], random)), [5, 8]);
  return [g.matmul(weight, a)];
});

fourierCases(check, op);
