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
  test('activation takes less than 50 ms', () => {
    const logs = files(path.join(window().userData, 'logs')).filter((file) => /Crossover\.log$/.test(file));
    const times = logs.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/Activated in ([\d.]+) ms/g)].map((match) => Number(match[1])),
    );
    assert.ok(times.length > 0, 'the log says how long activation took');
    for (const time of times) assert.ok(time < 50, `activation took ${time} ms`);
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
