/** The extension host: quick to activate, and free of the addon and of Pyodide. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Suite } from './suite.js';

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map((name) => path.join(folder, String(name)));
}

const suite: Suite = (window) => {
  // Every window of the suites before left its time, some while a run had all cores: the quickest one tells the
  // extension's own cost, to which a busy machine can only add.
  test('activation takes less than 30 ms', (context) => {
    const logs = files(path.join(window().userData, 'logs')).filter((file) => /Crossover\.log$/.test(file));
    const times = logs.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/Activated in ([\d.]+) ms/g)].map((match) => Number(match[1])),
    );
    assert.ok(times.length > 0, 'the log says how long activation took');
    context.diagnostic(`activations took ${times.join(', ')} ms`);
    assert.ok(Math.min(...times) < 30, `the activations took ${times.join(', ')} ms`);
  });

  test(
    'the extension host has loaded neither the addon nor Pyodide',
    { skip: !existsSync('/proc/self/maps') && 'needs /proc' },
    () => {
      const hosts = readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid))
        .flatMap((pid) => {
          try {
            const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
            const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
            if (!command.includes('extensionHost') || !environment.includes(window().userData)) return [];
            return [readFileSync(`/proc/${pid}/maps`, 'utf8')];
          } catch {
            return [];
          }
        });
      assert.ok(hosts.length > 0, 'the extension host was found');
      for (const maps of hosts) assert.doesNotMatch(maps, /crossover\.node|pyodide/);
    },
  );
};

export default suite;
