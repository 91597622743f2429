/** The tracer's processes: started ahead, kept for the same sources, never shared between different ones. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { zooIds, zooModel, type ZooId } from '../../extension/core/experiments/zoo.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { findSnapshot, snapshotFile } from '../../extension/core/trace/snapshot.js';
import { TraceError, type TraceRequest } from '../../extension/core/trace/tracer.js';
import { recipes } from '../fixtures/recipes.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-process-'));
// A snapshot of this test's own, because one test damages it.
process.env['XDG_CACHE_HOME'] = path.join(folder, 'cache');
after(() => rmSync(folder, { recursive: true }));

const counting = `
import torch, torch.nn as nn, json
json.seen = getattr(json, 'seen', 0) + 1
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        print('traced', json.seen)
        self.emb = nn.Embedding(8, 8)
    def forward(self, idx):
        return self.emb(idx) @ self.emb.weight.T
`;

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function runs(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function request(name: string, text: string, more: Partial<TraceRequest> = {}): TraceRequest {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return { file, expression: 'Model()', context: 4, batch: 2, vocab: 8, ...more };
}

describe('the tracer', () => {
  let tracer: TracerProcess;
  before(() => (tracer = createTracer()));
  after(() => tracer.dispose());

  it('traces every zoo model, what mixes its tokens as one operation a layer', async () => {
    const mixersOf = (id: ZooId, layers: number): Readonly<Record<string, number>> => {
      const { mixer } = recipes[id];
      return typeof mixer === 'string' ? { [mixer]: layers } : mixer(layers);
    };
    const known = new Set(zooIds().flatMap((id) => Object.keys(mixersOf(id, 12))));
    for (const id of zooIds()) {
      const { file, expression, parameters } = zooModel(id, { parameters: 400_000 });
      const trace = await tracer.trace({ file, expression, context: 33, batch: 2, vocab: 65 });
      const count = trace.state
        .filter(({ kind, name }) => kind === 'parameter' && !recipes[id].embeddings.test(name))
        .reduce((sum, { type }) => sum + type.shape.reduce((product, size) => product * size, 1), 0);
      assert.equal(count, parameters, id);
      const { layers } = zooModel(id, { parameters: 400_000 }).shape;
      const mixers: Record<string, number> = {};
      for (const { op } of trace.forward.nodes) if (known.has(op)) mixers[op] = (mixers[op] ?? 0) + 1;
      assert.deepEqual(mixers, mixersOf(id, layers), id);
      assert.ok(trace.forward.nodes.length < 150 * layers + 50, `${id}: ${trace.forward.nodes.length} nodes`);
      // Mistral's own file only chooses what Llama's does.
      const written = id === 'mistral' ? file.replace('mistral', 'llama') : file;
      assert.ok(trace.forward.files.includes(written));
      const kinds = new Set(recipes[id].groups.map(([, rate, decays]) => `${rate} ${decays}`));
      assert.equal(trace.optimizer?.length, kinds.size, id);
    }
  });

  it('keeps an interpreter for the same sources, and a new one for others', async () => {
    const logs: string[] = [];
    for (const [name, text] of [
      ['one.py', counting],
      ['one.py', counting],
      ['two.py', `${counting}\n# other`],
      ['one.py', counting],
    ] as const) {
      logs.push((await tracer.trace(request(name, text))).log.trim());
    }
    assert.deepEqual(logs, ['traced 1', 'traced 2', 'traced 1', 'traced 3']);
  });

  it('traces several models at once', async () => {
    const requests = ['a', 'b', 'c'].map((name) => request(`${name}.py`, `${counting}\n# ${name}`));
    const traces = await Promise.all([...requests, requests[0]!].map((asked) => tracer.trace(asked)));
    assert.deepEqual(
      traces.map(({ state }) => state.length),
      [1, 1, 1, 1],
    );
  });

  it('can be aborted at once, and traces on', async () => {
    const controller = new AbortController();
    const endless = request('endless.py', 'while True: pass');
    const started = performance.now();
    void setTimeout(300).then(() => controller.abort());
    await assert.rejects(tracer.trace(endless, controller.signal), { name: 'AbortError' });
    assert.ok(performance.now() - started < 10_000);
    assert.equal((await tracer.trace(request('one.py', counting))).state.length, 1);
  });

  it('names the file of this machine in errors', async () => {
    const broken = request('broken.py', 'import torch\n\nclass Model(:\n    pass\n');
    await assert.rejects(tracer.trace(broken), (error: unknown) => {
      assert.ok(error instanceof TraceError);
      assert.deepEqual([error.code, error.file, error.line], ['syntax', broken.file, 3]);
      return true;
    });
  });

  it('refuses sizes that are none', async () => {
    await assert.rejects(
      tracer.trace(request('one.py', counting, { context: 0 })),
      /context must be a whole number/,
    );
  });

  it('starts without its snapshot when that is damaged', async () => {
    assert.equal(findSnapshot(), snapshotFile());
    truncateSync(snapshotFile(), 1000);
    const other = createTracer();
    try {
      assert.equal((await other.trace(request('one.py', counting))).state.length, 1);
      assert.equal(findSnapshot(), snapshotFile());
    } finally {
      other.dispose();
    }
  });

  const guarded = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;
  const skip = guarded ? false : 'no setpriv here: the kernel ends what is left after its processor time';
  it('leaves nothing running when its parent is killed', { skip }, async () => {
    const { file } = request('endless.py', 'while True: pass');
    const parent = spawn(process.execPath, ['dist/test/trace/endless.main.js', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(parent.stdout, 'data');
    const children = childrenOf(parent.pid!);
    assert.ok(children.length > 0);
    parent.kill('SIGKILL');
    await once(parent, 'close');
    for (let wait = 0; wait < 50 && children.some(runs); wait++) await setTimeout(100);
    assert.deepEqual(children.filter(runs), []);
  });

  it('says so when it is closed', async () => {
    const other = createTracer();
    other.dispose();
    await assert.rejects(other.trace(request('one.py', counting)), TraceError);
  });
});
