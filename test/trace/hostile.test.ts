/** Model files that attack: none reaches the machine, and each ends in a message. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { distPath, pyodidePath } from '../../extension/core/paths.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { TraceError, type TraceRequest } from '../../extension/core/trace/tracer.js';

const secret = 'canary-5f1c9e';
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-hostile-'));
const canary = path.join(folder, 'canary.txt');
const pwned = path.join(folder, 'pwned.txt');
/** A shipped file the process may read, but model code may not. */
const shipped = path.join(pyodidePath(), 'package.json');
const shippedText = '"name": "pyodide"';

let tracer: TracerProcess;
let server: Server;
let port = 0;
let connections = 0;

before(async () => {
  writeFileSync(canary, secret);
  process.env['CROSSOVER_CANARY'] = secret;
  server = createServer(() => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  tracer = createTracer();
});

after(() => {
  tracer.dispose();
  server.close();
  delete process.env['CROSSOVER_CANARY'];
  rmSync(folder, { recursive: true });
});

/** A model that traces; an attack that goes unnoticed would end in a graph and fail its test. */
const harmless = `
import torch, torch.nn as nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(8, 8)
        self.head = nn.Linear(8, 8)
    def forward(self, idx):
        return self.head(self.emb(idx))
`;

async function trace(source: string, limits: Partial<TraceRequest> = {}): Promise<TraceError> {
  const file = path.join(folder, 'model.py');
  writeFileSync(file, source);
  const request = { file, expression: 'Model()', context: 4, batch: 1, vocab: 8, ...limits };
  const listing = readdirSync(folder).sort();
  const error = await tracer.trace(request).then(
    () => assert.fail('the attack went unnoticed: the model was traced'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TraceError, String(error));
  assert.match(error.message, /\S/);
  assert.ok(!error.message.trim().includes('\n'), `more than one line: ${error.message}`);
  assert.ok(!error.message.includes(secret), 'the canary was read');
  assert.ok(!error.message.includes(shippedText), 'a shipped file was read');
  assert.deepEqual(readdirSync(folder).sort(), listing, 'a file was made');
  assert.equal(readFileSync(canary, 'utf8'), secret);
  assert.equal(connections, 0, 'a connection was made');
  assert.ok(!existsSync(pwned));
  return error;
}

/** The attack's statements run first; what they find is carried out in an error's message. */
const attack = (statements: string, limits: Partial<TraceRequest> = {}): Promise<TraceError> =>
  trace(`${statements}\n${harmless}`, limits);

const quoted = JSON.stringify;

describe('a hostile model file', () => {
  it('cannot read files', async () => {
    for (const file of [canary, shipped, distPath('tracer.js'), '/etc/passwd']) {
      const error = await attack(`raise RuntimeError(open(${quoted(file)}).read())`);
      assert.match(error.message, /No such file/);
    }
    await attack(`import os\nraise RuntimeError(str(os.listdir(${quoted(folder)})))`);
    await attack(`import pathlib\nraise RuntimeError(pathlib.Path('/proc/self/environ').read_text())`);
    await attack(`import io\nraise RuntimeError(io.FileIO(${quoted(canary)}).read().decode())`);
  });

  it('cannot get from an error of JavaScript to its constructors', async () => {
    const error = await attack(`
def below(kind, found):
    for child in type.__subclasses__(kind):
        if child not in found:
            found.add(child)
            below(child, found)
    return found
reached = []
for kind in below(object, set()):
    if kind.__name__ == 'JsException':
        try:
            inner = kind.__new__(kind, 'Error', 'hello').js_error
            reached.append(inner.constructor)
            reached.append(inner.toString.constructor)
            inner.constructor.prepareStackTrace = print
        except (AttributeError, NameError, TypeError):
            pass
raise RuntimeError('reached ' + repr(reached))`);
    assert.doesNotMatch(error.message, /native code|function/);
  });

  it('cannot write files', async () => {
    await attack(`open(${quoted(pwned)}, 'w').write('x')`);
    await attack(`open('pwned.txt', 'w').write('x')`);
    await attack(`import tempfile\ntempfile.NamedTemporaryFile(delete=False)`);
    await attack(`import os\nos.open('/crossover/crossover_trace.py', os.O_WRONLY | os.O_TRUNC)`);
    await attack(`import os\nos.rename('/crossover', '/gone')`);
  });

  it('cannot see the environment', async () => {
    const error = await attack(`import os\nraise RuntimeError('env ' + repr(dict(os.environ)))`);
    assert.match(error.message, /env/);
  });

  it('cannot mount the machine through mountNodeFS', async () => {
    await attack(
      `import pyodide_js\npyodide_js.mountNodeFS('/mnt', ${quoted(folder)})\nraise RuntimeError(open('/mnt/canary.txt').read())`,
    );
    await attack(`from pyodide_js import FS\nFS.mount(FS.filesystems.NODEFS, {}, '/mnt')`);
  });

  it('cannot import what reaches JavaScript', async () => {
    for (const name of [
      'js',
      'pyodide_js',
      'pyodide',
      'pyodide.code',
      'pyodide.ffi',
      'pyodide_js._api',
      '_pyodide_core',
      '_pyodide._importhook',
    ]) {
      const error = await attack(`import ${name}`);
      assert.match(error.message, /pyodide|js/);
    }
    await attack(
      `import sys\nsys.meta_path[:] = sys.meta_path[1:]\nfrom pyodide.code import run_js\nrun_js('1')`,
    );
    await attack(
      `from _imp import create_builtin\nfrom importlib.machinery import ModuleSpec, BuiltinImporter\nraise RuntimeError(repr(create_builtin(ModuleSpec('_pyodide_core', BuiltinImporter))))`,
    );
    await attack(`import sys\nraise RuntimeError(sys.modules['js'].process.env)`);
  });

  it('finds no proxy of a JavaScript object in memory', async () => {
    const error = await attack(`
import gc
found = [o for o in gc.get_objects() if type(o).__name__ in ('JsProxy', 'JsCallable', 'JsDoubleProxy', 'JsBuffer')]
raise RuntimeError('found ' + str(len(found)))`);
    assert.match(error.message, /found 0\b/);
    await attack(`
import gc, types
for o in gc.get_objects():
    if isinstance(o, types.ModuleType) and o.__name__ in ('_pyodide_core', 'pyodide.ffi', 'pyodide.code', 'js'):
        print(o.create_proxy({}).constructor.constructor('return globalThis')())
raise RuntimeError('nothing')`);
  });

  it('cannot escape through frames, tracebacks, closures and the recorder', async () => {
    const error = await attack(`
import gc, sys, types
names = set()
frame = sys._getframe()
while frame is not None:
    names |= set(frame.f_globals) | set(frame.f_locals)
    frame = frame.f_back
try:
    1 / 0
except ZeroDivisionError as e:
    tb = e.__traceback__
    while tb is not None:
        names |= set(tb.tb_frame.f_globals)
        tb = tb.tb_next
bad = [n for n in names if n in ('js', 'pyodide_js', 'run_js', 'create_proxy', 'jsglobals', 'process')]
bad += [type(o).__name__ for o in gc.get_objects() if isinstance(o, types.BuiltinFunctionType) and o.__name__ in ('run_js', 'create_proxy', 'to_js')]
raise RuntimeError('reached ' + repr(bad))`);
    assert.match(error.message, /reached \[\]/);
  });

  it('cannot open sockets', async () => {
    await attack(`import socket\nsocket.create_connection(('127.0.0.1', ${port}), timeout=2)`);
    await attack(`import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()`);
    await attack(`import urllib.request\nurllib.request.urlopen('http://127.0.0.1:${port}/')`);
    await attack(`import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', ${port}))`);
  });

  it('cannot call native code', async () => {
    await attack(`import ctypes\nctypes.CDLL(None).emscripten_run_script(b'1')`);
    await attack(`import sys\nsys.meta_path[:] = sys.meta_path[1:]\nimport _ctypes`);
    await attack(`import _testcapi\n_testcapi.crash_no_current_thread()`);
    await attack(`import mmap`);
    await attack(`import sqlite3\nsqlite3.connect(':memory:').enable_load_extension(True)`);
    await attack(
      `import _imp\nfrom importlib.machinery import ModuleSpec\n_imp.create_dynamic(ModuleSpec('x', None, origin='/lib/x.so'))`,
    );
  });

  it('cannot start programs', async () => {
    await attack(`import os\nos.system('echo x > ${pwned}')\nraise RuntimeError('went on')`);
    await attack(`import subprocess\nsubprocess.run(['sh', '-c', 'echo x > ${pwned}'])`);
    await attack(`import os\nos.fork()`);
    await attack(`import os\nos.execv('/bin/sh', ['sh'])`);
    await attack(`import os\nos.kill(os.getppid(), 9)`);
    await attack(`import multiprocessing\nmultiprocessing.Process(target=print).start()`);
    await attack(`import threading\nthreading.Thread(target=print).start()`);
  });

  it('cannot end the tracer quietly', async () => {
    await attack(`import os\nos._exit(0)`);
    await attack(`raise SystemExit(0)`);
    await attack(`import os\nos.abort()`);
    await attack(`import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f() + 1\nf()`);
    await attack(`def f(): return f() + 1\nf()`);
    await attack(`x = []\nfor _ in range(200000): x = [x]\nhash(str(x))`);
    // A code object whose bytes make no sense crashes CPython itself.
    await attack(
      `def f(): pass\nf.__code__ = f.__code__.replace(co_code=bytes(range(1, 255)) * 4, co_stacksize=1)\nf()`,
    );
  });

  it('is stopped when it does not end', async () => {
    const error = await attack(`while True: pass`, { timeLimitMs: 1500 });
    assert.equal(error.code, 'time');
    assert.match(error.message, /1\.5 s/);
    const stubborn = `
while True:
    try:
        while True: pass
    except BaseException: pass`;
    assert.equal((await attack(stubborn, { timeLimitMs: 1500 })).code, 'time');
    assert.equal((await attack(`'a'.join(['b'] * 3)\n10 ** 10 ** 9`, { timeLimitMs: 1500 })).code, 'time');
  });

  it('is stopped when it takes too much memory', async () => {
    const limit = { memoryLimitBytes: 500 * 2 ** 20 };
    for (const bomb of [
      `x = []\nwhile True: x.append([0] * 100000)`,
      `x = []\nwhile True: x.append(bytearray(10 ** 7))`,
      `x = bytes(2 * 10 ** 9)`,
      `x = [0] * (5 * 10 ** 8)`,
    ]) {
      assert.equal((await attack(bomb, limit)).code, 'memory', bomb);
    }
  });

  it('is stopped when its graph is too large', async () => {
    const error = await trace(
      `${harmless}
class Huge(Model):
    def forward(self, idx):
        x = self.emb(idx)
        for _ in range(10_000_000):
            x = x + 1
        return self.head(x)
`,
      { expression: 'Huge()' },
    );
    assert.ok(['size', 'time', 'memory'].includes(error.code), error.code);
  });

  it('is told when a tensor is too large', async () => {
    const error = await trace(
      `${harmless}
class Wide(Model):
    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.zeros(10 ** 5, 10 ** 10))
    def forward(self, idx):
        return super().forward(idx) + self.x.sum()
`,
      { expression: 'Wide()' },
    );
    assert.ok(['size', 'memory'].includes(error.code), `${error.code}: ${error.message}`);
  });

  it('gains nothing by pickles', async () => {
    await attack(`
import os, pickle
class Evil:
    def __reduce__(self):
        return os.system, ('echo x > ${pwned}',)
pickle.loads(pickle.dumps(Evil()))
raise RuntimeError('went on')`);
    await attack(`
import pickle
class Evil:
    def __reduce__(self):
        return eval, ("__import__('js').process.exit()",)
pickle.loads(pickle.dumps(Evil()))`);
    await attack(`import torch\ntorch.load(${quoted(canary)})`);
  });

  it('does not change the trace of the next model', async () => {
    const file = path.join(folder, 'model.py');
    await trace(`
import builtins, sys, torch, json
torch.nn.Linear.__init__ = lambda *a, **k: None
torch.Tensor.__add__ = lambda a, b: a
json.dumps = lambda *a, **k: '{}'
builtins.len = lambda x: 0
raise RuntimeError('changed')`);
    writeFileSync(file, harmless);
    const traced = await tracer.trace({ file, expression: 'Model()', context: 4, batch: 1, vocab: 8 });
    assert.equal(traced.state.length, 3);
    assert.ok(traced.forward.nodes.some((node) => node.op === 'linear'));
  });
});
