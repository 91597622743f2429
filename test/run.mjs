/**
 * `npm test`: sets up, then every tier in order; stops at the first tier that fails.
 * `npm test -- unit native` runs the named tiers only. Tiers: lint types unit sanitize e2e.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root } from '../extension/setup/shell.mjs';
import { pythonWithTorch, runMain, setup } from '../extension/setup/setup.mjs';

/** Bundled test files below dist/test, without the end-to-end suites (their own runner drives those). */
function testFiles(wanted) {
  return readdirSync(path.join(root, 'dist', 'test'), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.test.js') && !name.startsWith('e2e') && wanted(name))
    .map((name) => path.join('dist', 'test', name))
    .sort();
}

const sharedData = path.join(root, '..', 'shared', 'data');
/** Real programs for the native tests. */
const programs = path.join(root, 'dist', 'native', 'programs');
const report = path.join(root, 'dist', 'test', 'report.txt');

/** Tests the unit tier skipped; on the CI's machine, which has everything, each is a failure. */
function skipped() {
  if (!existsSync(report)) return [];
  return readFileSync(report, 'utf8')
    .split('\n')
    .filter((line) => /^\s*﹣/u.test(line) || /# SKIP/.test(line))
    .map((line) => line.trim());
}

const node = process.execPath;
const npx = (...args) => [node, [path.join(root, 'node_modules', ...args[0].split('/')), ...args.slice(1)]];
const tiers = {
  lint: () => [
    npx('eslint/bin/eslint.js', '.', '--max-warnings', '0'),
    npx('prettier/bin/prettier.cjs', '--check', '.', '--log-level', 'warn'),
    [node, ['test/format.mjs']],
  ],
  types: () => [npx('typescript/bin/tsc', '--noEmit', '-p', '.')],
  unit: () => [
    [
      node,
      [
        '--test',
        '--test-concurrency=2',
        '--test-reporter=dot',
        '--test-reporter-destination=stdout',
        '--test-reporter=spec',
        `--test-reporter-destination=${report}`,
        ...testFiles(() => true),
      ],
    ],
  ],
  sanitize: () => [
    [node, ['dist/test/native/programs.main.js', programs]],
    [node, ['extension/setup/native.mjs', '--sanitize', '--run']],
  ],
  e2e: () => [[node, ['dist/test/e2e/run.main.js']]],
};

runMain(() => {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !(name in tiers));
  if (unknown.length > 0) {
    process.stderr.write(
      `No such tier: ${unknown.join(', ')}; the tiers are ${Object.keys(tiers).join(', ')}.\n`,
    );
    process.exit(2);
  }
  const missing = setup({ tests: true });
  const env = {
    ...process.env,
    CROSSOVER_PYTHON: pythonWithTorch,
    CROSSOVER_PROGRAMS: programs,
    NODE_OPTIONS: '',
  };
  const results = [];
  for (const name of asked.length > 0 ? asked : Object.keys(tiers)) {
    const started = Date.now();
    process.stdout.write(`\n== ${name}\n`);
    if (name === 'unit') rmSync(report, { force: true });
    let failed = tiers[name]().some(
      ([command, args]) => spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }).status !== 0,
    );
    const left = name === 'unit' ? skipped() : [];
    for (const line of left) process.stdout.write(`skipped: ${line}\n`);
    failed ||= left.length > 0 && process.env.CI === 'true' && existsSync(sharedData);
    results.push({ name, failed, seconds: ((Date.now() - started) / 1000).toFixed(0) });
    if (failed) break;
  }
  process.stdout.write('\n');
  for (const { name, failed, seconds } of results)
    process.stdout.write(`${failed ? 'FAILED' : 'passed'}  ${name} (${seconds} s)\n`);
  if (missing.length > 0) process.stdout.write(`Without: ${missing.join('; ')}.\n`);
  const failed = results.filter((result) => result.failed).length;
  process.stdout.write(`tiers: ${results.length - failed} passed, ${failed} failed\n`);
  process.exit(failed > 0 ? 1 : 0);
});
