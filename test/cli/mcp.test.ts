/** Agents reach the tools over the Model Context Protocol: a real client, a real server process. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { distPath } from '../../extension/core/paths.js';

const skip = existsSync(distPath('native', 'crossover.node')) ? false : 'the native addon is not built';

describe('crossover mcp', { skip }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'crossover-mcp-'));
  const client = new Client({ name: 'a test', version: '1' });
  before(() =>
    client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [distPath('cli.js'), 'mcp', '--root', folder],
      }),
    ),
  );
  after(async () => {
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function call(name: string, input: Record<string, unknown>, onProgress?: (message: string) => void) {
    const options =
      onProgress === undefined
        ? {}
        : { onprogress: ({ message }: { message?: string | undefined }) => onProgress(message ?? '') };
    const result = await client.callTool({ name, arguments: input }, undefined, options);
    const [part] = result.content as { type: string; text: string }[];
    return { text: part!.text, isError: result.isError === true };
  }

  it('lists its tools with what they take', async () => {
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['trace', 'benchmark', 'decode', 'compare'],
    );
    assert.deepEqual(tools[0]!.inputSchema.required, ['model']);
    assert.equal(tools[0]!.annotations?.readOnlyHint, true);
  });

  it('traces a model', { timeout: 60_000 }, async () => {
    const { text, isError } = await call('trace', { model: 'gpt2:150K', context: 64, batch: 2 });
    assert.ok(!isError, text);
    assert.match(text, /^# GPT-2 .*, context 64, batch 2\n/);
    assert.match(text, /\| .*gpt2\.py:\d+ \| /);
  });

  it('measures, tells how far it is, and leaves a run folder', { timeout: 120_000 }, async () => {
    const told: string[] = [];
    const input = { models: ['gpt2:150K'], contexts: [16, 32], vocab: 32 };
    const { text, isError } = await call('decode', input, (message) => told.push(message));
    assert.ok(!isError, text);
    assert.match(text, /## Decoding, one sequence at a time\n\n\| Model \| Context/);
    assert.ok(told.length > 0);
    const run = /Run folder: (.+)$/m.exec(text)?.[1];
    assert.ok(run !== undefined && existsSync(path.join(run, 'run.json')), text);
  });

  it('says in one sentence what is wrong', async () => {
    const wrong = [
      [await call('trace', {}), /^trace needs "model": /],
      [await call('trace', { model: 'gpt2', context: 'long' }), /^"context" of trace does not fit: /],
      [await call('trace', { model: 'nothing' }), /^"nothing" is neither a zoo model/],
      [await call('benchmark', { models: ['gpt2'], speed: 1 }), /^benchmark has no "speed"; it takes models/],
      [await call('benchmark', { models: ['gpt2'], contexts: [3] }), /^A context of 3 does not divide/],
      [await call('write', {}), /^There is no tool "write"; the tools are trace, /],
    ] as const;
    for (const [{ text, isError }, says] of wrong) {
      assert.ok(isError);
      assert.match(text, says);
    }
  });
});
