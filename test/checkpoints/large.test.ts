/** A checkpoint far larger than what is read of it. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { equalTensors, readTensor } from '../../extension/core/checkpoints/storedTensor.js';
import { valuesOf } from './values.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-large-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('of 15 GB, one tensor is read, and a large one in pieces, in a few megabytes', () => {
  const file = path.join(folder, 'x.safetensors');
  const bytes = 15e9;
  const middle = 400e6;
  const header = Buffer.from(
    JSON.stringify({
      most: { dtype: 'BF16', shape: [(bytes - middle) / 2], data_offsets: [0, bytes - middle] },
      middle: { dtype: 'BF16', shape: [middle / 2], data_offsets: [bytes - middle, bytes] },
      last: { dtype: 'F32', shape: [2], data_offsets: [bytes, bytes + 8] },
    }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const start = 8 + header.length;
  // A sparse file: the system keeps no blocks for what was never written.
  const descriptor = openSync(file, 'w');
  ftruncateSync(descriptor, start + bytes + 8);
  writeSync(descriptor, Buffer.concat([length, header]), 0, start, 0);
  writeSync(descriptor, Buffer.from(Float32Array.of(3, -4).buffer), 0, 8, start + bytes);
  closeSync(descriptor);

  const before = process.resourceUsage().maxRSS;
  const checkpoint = openCheckpoint(file);
  assert.deepEqual(valuesOf(checkpoint.tensors.get('last')!).values, [3, -4]);
  let seen = 0;
  readTensor(checkpoint.tensors.get('middle')!, 'f32', (_, piece) => (seen += piece.length));
  assert.equal(seen, 2 * middle);
  assert.ok(equalTensors(checkpoint.tensors.get('most')!, checkpoint.tensors.get('most')!));
  checkpoint.close();
  const grown = (process.resourceUsage().maxRSS - before) / 1024;
  assert.ok(grown < 200, `${grown.toFixed(0)} MiB more`);
});
