/** What a trace says about a model file: places, modules, state, optimizer; and what its failures say. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Graph, Trace } from '../../extension/core/compiler/graph.js';
import { verify } from '../../extension/core/compiler/verify.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { TraceError, type TraceRequest } from '../../extension/core/trace/tracer.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-tracer-'));
const file = path.join(folder, 'model.py');
let tracer: TracerProcess;
before(() => (tracer = createTracer()));
after(() => {
  tracer.dispose();
  rmSync(folder, { recursive: true });
});

/** Source of a model whose forward runs `lines` between embedding and head. */
function model(...lines: string[]): string {
  return `import torch, torch.nn as nn, torch.nn.functional as F
class Model(nn.Module):
    def __init__(self, n=8):
        super().__init__()
        self.emb = nn.Embedding(8, n)
        self.narrow = nn.Linear(n, 6)
        self.head = nn.Linear(n, 8, bias=False)
    def forward(self, idx, targets=None):
        x = self.emb(idx)
        ${lines.join('\n        ')}
        return self.head(x)
`;
}

async function trace(source: string, more: Partial<TraceRequest> = {}): Promise<Trace> {
  writeFileSync(file, source);
  const found = await tracer.trace({ file, expression: 'Model()', context: 4, batch: 2, vocab: 8, ...more });
  verify(found.init);
  verify(found.forward);
  return found;
}

/** The source text each node of an operation spans, innermost frame first, joined over the call chain. */
function texts(graph: Graph, source: string, op: string): string[] {
  const lines = source.split('\n');
  return graph.nodes
    .filter((node) => node.op === op)
    .map((node) =>
      graph.stacks[node.stack]!.map((index) => {
        const { line, column, endLine, endColumn } = graph.spans[index]!;
        return line === endLine ? lines[line - 1]!.slice(column, endColumn) : `${line}-${endLine}`;
      }).join(' < '),
    );
}

describe('places', () => {
  it('gives every operation its own range, in UTF-16 units, and the call chain', async () => {
    const source = model(
      'é = "😀"; x = torch.tanh(x) + torch.sin(x * 2.0)',
      'x = [F.relu(y) for y in (x,)][0]',
      'x = (lambda z: torch.cos(z))(x)',
      'x[:, 0] = 0.5',
    );
    const { forward } = await trace(source);
    assert.deepEqual(texts(forward, source, 'tanh'), ['torch.tanh(x)']);
    assert.deepEqual(texts(forward, source, 'sin'), ['torch.sin(x * 2.0)']);
    assert.deepEqual(texts(forward, source, 'mul'), ['x * 2.0']);
    assert.deepEqual(texts(forward, source, 'add'), ['torch.tanh(x) + torch.sin(x * 2.0)']);
    assert.deepEqual(texts(forward, source, 'relu'), ['F.relu(y)']);
    assert.deepEqual(texts(forward, source, 'cos'), ['torch.cos(z) < (lambda z: torch.cos(z))(x)']);
    assert.ok(texts(forward, source, 'slice_scatter')[0]?.startsWith('x[:, 0]'));
    assert.deepEqual(texts(forward, source, 'linear'), ['self.head(x)']);
  });

  it('knows the module of every operation', async () => {
    const { forward } = await trace(model('x = x + self.narrow.forward(x).sum()'));
    const scopes = forward.nodes
      .filter(({ op }) => op === 'linear')
      .map(({ scope }) => forward.scopes[scope]);
    assert.deepEqual(scopes, ['narrow', 'head']);
  });
});

describe('state', () => {
  it('names tied weights once, buffers and plain tensors', async () => {
    const source = model('x = x * self.scale + self.table[:4] + self.plain').replace(
      '    def forward',
      `        self.head.weight = self.emb.weight
        self.register_buffer("table", torch.arange(64).float().view(8, 8).sqrt())
        self.plain = torch.rand(8)
        self.scale = nn.Parameter(torch.tensor(2.0), requires_grad=False)
    def forward`,
    );
    const { state } = await trace(source);
    const rows = state.map(({ kind, names, requiresGrad }) => `${kind} ${names.join('=')} ${requiresGrad}`);
    assert.deepEqual(rows, [
      'parameter scale false',
      'parameter emb.weight=head.weight true',
      'parameter narrow.weight true',
      'parameter narrow.bias true',
      'buffer table false',
      'constant plain false',
    ]);
  });

  it('draws in construction order, overwritten draws included', async () => {
    const { init } = await trace(
      model('pass').replace('    def forward', '        nn.init.zeros_(self.narrow.weight)\n    def forward'),
    );
    const draws = init.nodes.filter(({ op }) => op.startsWith('rng.')).map(({ op }) => op);
    assert.deepEqual(draws, ['rng.normal', 'rng.uniform', 'rng.uniform', 'rng.uniform']);
  });

  it('evaluates element loops into one constant', async () => {
    const { init } = await trace(
      model('x = x * self.ramp').replace(
        '    def forward',
        `        ramp = torch.ones(1, 1, 8)
        for i in range(8):
            ramp[0, 0, i] = i / 8
        self.ramp = nn.Parameter(1.0 - torch.pow(ramp, 0.25))
    def forward`,
      ),
    );
    assert.equal(init.constants.length, 1);
    const bytes = init.constants[0]!;
    assert.deepEqual(
      [...new Float32Array(bytes.buffer)],
      [0, 1, 2, 3, 4, 5, 6, 7].map((i) => i / 8),
    );
  });
});

describe('optimizer', () => {
  const configure = (signature: string, body: string): string =>
    model('pass').replace(
      '    def forward',
      `    def configure_optimizers(self${signature}):\n        ${body}\n    def forward`,
    );

  it('fills parameters by name and scales learning rates', async () => {
    const groups = `return torch.optim.AdamW([
            {"params": [self.emb.weight], "weight_decay": weight_decay, "lr": 2 * learning_rate},
            {"params": [self.head.weight], "weight_decay": 0.0}], lr=learning_rate, betas=betas)`;
    const source = configure(', weight_decay, learning_rate, betas, device_type', groups);
    const { optimizer } = await trace(source, { weightDecay: 0.2, learningRate: 0.01 });
    assert.deepEqual(optimizer, [
      { parameters: [0], lrScale: 2, weightDecay: 0.2, betas: [0.9, 0.95], eps: 1e-8 },
      { parameters: [3], lrScale: 1, weightDecay: 0, betas: [0.9, 0.95], eps: 1e-8 },
    ]);
  });

  it('is null with a line in the log when it cannot be called', async () => {
    const { optimizer, log } = await trace(configure(', surprise', 'return None'));
    assert.equal(optimizer, null);
    assert.match(log, /configure_optimizers was not used: .*surprise/);
  });
});

const syntaxError = 'x = = 3';
const failures: readonly [line: string, code: TraceError['code'], message: RegExp][] = [
  ['x = self.head(self.narrow(x))', 'shape', /mat1 and mat2 shapes cannot be multiplied \(8x6 and 8x8\)/],
  [
    'x = x + torch.zeros(3, 5)',
    'shape',
    /size of tensor a \(4\) must match the size of tensor b \(3\) at non-singleton dimension 1/,
  ],
  ['x = x.view(2, 3)', 'shape', /shape '\[2, 3\]' is invalid for input of size 64/],
  ['x = x[:, 99]', 'shape', /index 99 is out of bounds for dimension 1 with size 4/],
  ['x = x.permute(0, 2, 1).view(2, 4, 8)', 'shape', /view size is not compatible/],
  ['x = torch.fancy(x)', 'unsupported', /has no attribute 'fancy'/],
  ['x = x.fancy()', 'unsupported', /has no attribute 'fancy'/],
  ['import wandb; wandb.log({})', 'unsupported', /wandb\.log is not available/],
  ['x = x + torch.randn_like(x)', 'unsupported', /random numbers/],
  ['if x.sum() > 0: x = x * 2', 'data-dependent', /value of a tensor/],
  ['x = x[x > 0]', 'data-dependent', /boolean mask/],
  ['x = x * int(__import__("os").environ["HEADS"])', 'python', /environment variable HEADS; give it/],
  ['open("vocab.json")', 'python', /No such file or directory: 'vocab\.json'; a trace has no files/],
  ['self.head.weight.data.clamp_(-1, 1)', 'unsupported', /changes a parameter in place/],
  ['self.head.weight.register_hook(print)', 'unsupported', /hooks on parameters are not traced/],
  ['nn.utils.spectral_norm(self.narrow)', 'unsupported', /spectral_norm is not traced; use the plain layer/],
  ['torch.linalg.inv(x)', 'unsupported', /triangular, torch\.linalg\.solve_triangular is/],
  [
    'torch.vmap(torch.tanh)(torch.ones(999))',
    'unsupported',
    /vmap over 999 elements.*operations on whole tensors/,
  ],
  [
    'torch._higher_order_ops.associative_scan(lambda a, b: a + b.flip(0), x, 1)',
    'unsupported',
    /count dimensions from the right/,
  ],
  [
    'x = torch.fft.rfft(x).relu().real',
    'unsupported',
    /relu of complex tensors is not traced; write it with real/,
  ],
  [
    'x = torch.softmax(torch.fft.fft(x), -1).real',
    'unsupported',
    /is not traced; write it with their \.real and/,
  ],
  ['import nowhere', 'import', /No module named 'nowhere'/],
  ['assert x.shape[0] == 77, "bad batch"', 'python', /AssertionError: bad batch/],
  ['x = torch.zeros(10**8, 10**8)', 'size', /larger than a trace may hold/],
];

describe('a failure', () => {
  // One file for all, so that one interpreter serves them; the entry expression says which line runs.
  const chosen = failures.map(([line], index) => `if self.case == ${index}:\n            ${line}`);
  const source = model(...chosen).replace('self, n=8):', 'self, case, n=8):\n        self.case = case');

  async function fails(asked: Promise<Trace>, code: string, message: RegExp, line: number): Promise<void> {
    await assert.rejects(asked, (error: unknown) => {
      assert.ok(error instanceof TraceError);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.match(error.message, new RegExp(`\\(model\\.py:${line}\\b[^()]*\\)\\.$`));
      assert.equal(error.file, file);
      assert.equal(error.line, line);
      return true;
    });
  }

  failures.forEach(([text, code, message], index) => {
    it(`is '${code}' at the line: ${text}`, async () => {
      const line = source.split('\n').indexOf(`            ${text}`) + 1;
      await fails(trace(source, { expression: `Model(${index})` }), code, message, line);
    });
  });

  it("is 'syntax' before anything runs", async () => {
    await fails(trace(model(syntaxError)), 'syntax', /invalid syntax/, 10);
  });

  const entries: readonly [string, RegExp][] = [
    ['Modle()', /no `Modle`; did you mean Model\?/],
    ['Model', /is the class itself/],
    ['Model(', /not a Python expression/],
    ['3', /not an nn\.Module/],
    ['Model(q=1)', /unexpected keyword argument 'q'/],
  ];
  for (const [expression, message] of entries) {
    it(`is 'entry' for the expression ${expression}`, async () => {
      await assert.rejects(trace(model('pass'), { expression }), (error: unknown) => {
        assert.ok(error instanceof TraceError);
        assert.equal(error.code, 'entry');
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('is told before training when nothing can be trained', async () => {
    await assert.rejects(trace(model('return x.detach()')), { code: 'entry' });
    const found = await trace(model('return x.detach()'), { moduleMode: 'eval' });
    assert.ok('loss' in found.forward.outputs);
  });
});

describe('hasattr', () => {
  it('answers as PyTorch does', async () => {
    const { log } = await trace(
      model(
        'import inspect',
        'print(hasattr(F, "scaled_dot_product_attention"), hasattr(torch, "fancy"), hasattr(x, "fancy"))',
        'print("fused" in inspect.signature(torch.optim.AdamW).parameters, hasattr(self, "bias"))',
        'print(list(inspect.signature(self.forward).parameters), torch.cuda.is_available())',
      ),
    );
    assert.equal(log, "True False False\nTrue False\n['idx', 'targets'] False\n");
  });
});

describe('a training script', () => {
  const script = (...lines: readonly string[]): string => `import sys
with open(sys.argv[0]) as file:
    code = file.read()
import torch, torch.nn as nn
torch.empty(1, device='cuda', requires_grad=True).backward()
width = len(code.splitlines()) * 2
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(8, width)
        self.head = nn.Linear(width, 8)
    def forward(self, idx):
        return self.head(self.emb(idx))
${lines.join('\n')}
`;

  it('reads its own text, and wakes the device before it begins', async () => {
    const source = script('Model()(torch.zeros(1, 4).long()).sum().backward()', 'raise ValueError');
    const { state, log } = await trace(source);
    assert.equal(state[0]!.name, 'emb.weight');
    assert.equal(state[0]!.type.shape[1], 2 * (source.split('\n').length - 1));
    assert.match(log, /ends the script part of the file: it calls backward\(\)/);
  });
});

describe('floats of eight bits', () => {
  it('are multiplied as they are, with their scales', async () => {
    const { forward } = await trace(
      model(
        'small, w = (y.to(torch.float8_e4m3fn) for y in (x.flatten(0, 1) / 2.0, self.narrow.weight))',
        'assert small.dtype.itemsize == 1 and torch.finfo(small.dtype).max == 448',
        'y = torch._scaled_mm(small, w.T, scale_a=x.new_tensor(2.0), scale_b=x.new_tensor(1.0), out_dtype=torch.bfloat16)',
        'assert y.shape == (8, 6) and y.dtype is torch.bfloat16',
        'x = x + y.float().mean()',
      ),
    );
    assert.ok(forward.nodes.some(({ op }) => op === 'matmul'));
  });
});
