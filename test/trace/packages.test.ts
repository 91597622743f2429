/** Functions of flash-linear-attention, mamba_ssm and causal_conv1d become native operations, or say why they cannot. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { TraceError } from '../../extension/core/trace/tracer.js';

describe('packages of recurrences', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'crossover-packages-'));
  let tracer: TracerProcess;
  before(() => (tracer = createTracer()));
  after(() => {
    tracer.dispose();
    rmSync(folder, { recursive: true });
  });

  it('are native operations', async () => {
    const file = path.resolve('test', 'fixtures', 'models', 'packages.py');
    const trace = await tracer.trace({ file, expression: 'Packages(V)', context: 12, batch: 2, vocab: 31 });
    const counts: Record<string, number> = { gla: 0, wkv4: 0, wkv6: 0, wkv7: 0, selective_scan: 0 };
    for (const { op } of trace.forward.nodes) if (op in counts) counts[op]!++;
    // Nine of fla's and two of Mamba-2; four delta rules and three of RWKV-7; two groups of a scan and Mamba's mixer.
    assert.deepEqual(counts, { gla: 11, wkv4: 1, wkv6: 2, wkv7: 7, selective_scan: 3 });
  });

  it("are Mamba's block and what copies of mamba_ssm call of its compiled extensions, too", async () => {
    const file = path.resolve('test', 'fixtures', 'models', 'mambas.py');
    const trace = await tracer.trace({ file, expression: 'Mambas(V)', context: 9, batch: 2, vocab: 31 });
    const count = (op: string): number => trace.forward.nodes.filter((node) => node.op === op).length;
    // The block's, one for each of two groups, and as many from the autograd function.
    assert.equal(count('selective_scan'), 5);
    assert.equal(count('conv1d'), 3);
  });

  it("are Mamba-2's block", async () => {
    const file = path.resolve('test', 'fixtures', 'models', 'duality.py');
    const trace = await tracer.trace({ file, expression: 'Duality(V)', context: 9, batch: 2, vocab: 31 });
    assert.equal(trace.forward.nodes.filter(({ op }) => op === 'gla').length, 1);
  });

  describe('in a clone', () => {
    const clone = path.join(folder, 'clone');
    const write = (name: string, ...lines: string[]): void => {
      mkdirSync(path.dirname(path.join(clone, name)), { recursive: true });
      writeFileSync(path.join(clone, name), lines.join('\n'));
    };
    before(() => {
      write('mamba_ssm/__init__.py');
      write('mamba_ssm/ops/__init__.py');
      write('mamba_ssm/ops/triton/__init__.py');
      write(
        'mamba_ssm/ops/triton/layer_norm.py',
        'import triton',
        'import triton.language as tl',
        'LARGEST = [c for c in [1] if triton.Config({}).num_warps <= c]',
      );
      write(
        'mamba_ssm/gated.py',
        'import torch',
        'from mamba_ssm.ops.triton.layer_norm import RMSNorm, _layer_norm_bwd',
        'class Gated(torch.nn.Module):',
        '    def __init__(self, n):',
        '        super().__init__()',
        '        self.norm = RMSNorm(n)',
        '    def forward(self, x):',
        '        return torch.tanh(self.norm(x))',
      );
    });
    const lines = (...body: string[]): void => {
      write(
        'lm.py',
        'import torch.nn as nn',
        'from mamba_ssm.gated import Gated, _layer_norm_bwd',
        'class LM(nn.Module):',
        '    def __init__(self, v):',
        '        super().__init__()',
        '        self.emb, self.gate, self.head = nn.Embedding(v, 8), Gated(8), nn.Linear(8, v)',
        '    def forward(self, idx):',
        ...body.map((line) => `        ${line}`),
      );
    };
    const trace = () =>
      tracer.trace({ file: path.join(clone, 'lm.py'), expression: 'LM(V)', context: 4, batch: 1, vocab: 7 });

    it('Triton kernels that we have are ours, and the rest of the package is the clone', async () => {
      lines('return self.head(self.gate(self.emb(idx)))');
      const { forward } = await trace();
      const ops = forward.nodes.map(({ op }) => op);
      assert.ok(ops.includes('tanh') && ops.includes('rms_norm'), ops.join(' '));
    });

    it('what ours lack of them fails where it is used', async () => {
      lines('return _layer_norm_bwd(self.emb(idx))');
      await assert.rejects(trace(), /_layer_norm_bwd is not available while tracing.*\(lm\.py:8/);
    });
  });

  const refused = [
    [
      'from fla.ops.gla import chunk_gla',
      'chunk_gla(q, q, q, -q.exp(), cu_seqlens=idx)',
      /chunk_gla with cu_seqlens/,
    ],
    [
      'from fla.ops import fused_recurrent_gla',
      'fused_recurrent_gla(q, q, q, gv=-q.exp())',
      /fused_recurrent_gla with gv=/,
    ],
    [
      'from fla.ops.linear_attn import fused_recurrent_linear_attn',
      'fused_recurrent_linear_attn(q, q, q, reverse=True, normalize=True)',
      /fused_recurrent_linear_attn in reverse is traced without normalize only/,
    ],
    ['from fla.ops import chunk_delta_rule', 'chunk_delta_rule(q, q, q, q)', /beta \[batch, time, heads\]/],
    ['from mamba_ssm import Mamba3', 'Mamba3(8)(x)', /mamba_ssm\.Mamba3/],
    [
      'from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined',
      'mamba_chunk_scan_combined(q, x[..., :2], x[0, 0, :2], q, q, 64, seq_idx=idx)',
      /mamba_chunk_scan_combined with seq_idx/,
    ],
    [
      'from causal_conv1d import causal_conv1d_fn',
      'causal_conv1d_fn(x.mT, self.weight, activation="relu")',
      /no activation 'relu'/,
    ],
  ] as const;
  for (const [imports, call, why] of refused) {
    it(`refuse ${call}`, async () => {
      const file = path.join(folder, 'model.py');
      writeFileSync(
        file,
        `import torch, torch.nn as nn
${imports}
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(8, 8)
        self.weight = nn.Parameter(torch.ones(8, 4))
    def forward(self, idx):
        x = self.emb(idx)
        q = x.view(*x.shape[:2], 2, 4)
        y = ${call}
        return x @ self.emb.weight.T
`,
      );
      const request = { file, expression: 'Model()', context: 4, batch: 2, vocab: 8 };
      await assert.rejects(tracer.trace(request), (error: unknown) => {
        assert.ok(error instanceof TraceError);
        assert.match(error.message, why);
        assert.equal(error.line, 11);
        return true;
      });
    });
  }
});
