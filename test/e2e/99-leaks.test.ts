/** The end of the extension: what it made is disposed. The last suite, so that every part has been in use. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('nothing is left undisposed when the extension ends', async () => {
    const session = window();
    const ends = (): string[][] =>
      existsSync(session.leaks)
        ? readFileSync(session.leaks, 'utf8')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as string[])
        : [];
    const before = ends().length;
    await session.open('model.py');
    await session.reload();
    await session.until('the end of the extension', async () => (ends().length > before ? true : null));
    for (const left of ends()) assert.deepEqual(left, []);
  });
};

export default suite;
