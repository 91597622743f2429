/** What profiled instructions cost, by line, by module and by line within a module, is one and the same sum. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstructionOrigin } from '../../extension/core/compiler/compiled.js';
import { attribute, type SourceTables } from '../../extension/core/engine/attribution.js';

const tables: SourceTables = {
  files: ['model.py'],
  spans: [10, 20].map((line) => ({ file: 0, line, endLine: line, column: 0, endColumn: 1 })),
  stacks: [[0], [1]],
  scopes: ['', 'blocks.0', 'blocks.1'],
} as unknown as SourceTables;

const origin = (
  phase: InstructionOrigin['phase'],
  parts: InstructionOrigin['parts'],
  keptBytes = 0,
): InstructionOrigin => ({ opcode: 'matmul', phase, flops: 600, bytes: 60, keptBytes, parts });

const origins = [
  origin('forward', [{ stack: 0, scope: 1, share: 1 }], 4096),
  origin(
    'forward',
    [
      { stack: 0, scope: 2, share: 0.25 },
      { stack: 1, scope: 2, share: 0.75 },
    ],
    1024,
  ),
  origin('backward', [{ stack: 1, scope: 2, share: 1 }]),
  origin('optimizer', []),
];

test('parts add up to lines and to modules, in every phase', () => {
  const { lines, modules, parts } = attribute(origins, [1e6, 2e6, 4e6, 8e6], tables, (file) => `/x/${file}`);
  assert.deepEqual(
    parts.map(({ module, file, line, ms, flops, keptBytes }) => [module, file, line, ms, flops, keptBytes]),
    [
      ['blocks.0', '/x/model.py', 10, [1, 0, 0], [600, 0, 0], 4096],
      ['blocks.1', '/x/model.py', 10, [0.5, 0, 0], [150, 0, 0], 256],
      ['blocks.1', '/x/model.py', 20, [1.5, 4, 0], [450, 600, 0], 768],
      ['optimizer', '', 0, [0, 0, 8], [0, 0, 600], 0],
    ],
  );
  for (const { file, line, forwardMs, backwardMs, optimizerMs } of lines) {
    const own = parts.filter((part) => part.file === file && part.line === line);
    const sum = [0, 1, 2].map((phase) => own.reduce((total, { ms }) => total + ms[phase]!, 0));
    assert.deepEqual(sum, [forwardMs, backwardMs, optimizerMs], `${file}:${line}`);
  }
  for (const { module, flops } of modules) {
    const own = parts.filter((part) => part.module === module);
    assert.equal(
      own.reduce((total, part) => total + part.flops.reduce((a, b) => a + b, 0), 0),
      flops,
    );
  }
});
