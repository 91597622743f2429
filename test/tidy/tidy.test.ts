/** Who may import whom (ARCHITECTURE.md, "Layers"), no import cycles, and words that must not stand in the sources. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const folders = ['extension', 'webview', 'test'];
const files = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .map((name) => path.join(folder, String(name)))
    .filter((name) => statSync(name).isFile()),
);
const sources = files.filter((name) => name.endsWith('.ts'));

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Static imports and re-exports of a TypeScript file. */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const pattern = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[2]!,
    typeOnly: match[1] !== undefined,
  }));
}

/** The file a relative import names, as a path from the project's root. */
function resolve(from: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  const target = path.join(path.dirname(from), specifier).replace(/\.js$/, '.ts');
  return existsSync(target) ? target : null;
}

const under = (file: string, ...parts: string[]): boolean =>
  parts.some((part) => file === part || file.startsWith(part + '/'));

/** Each rule: which files it binds, and which of their imports it forbids. */
const rules: {
  name: string;
  binds: (file: string) => boolean;
  forbids: (target: string, specifier: string) => boolean;
}[] = [
  {
    name: 'only extension.ts, features/ and host/ import vscode',
    binds: (file) => !under(file, 'extension/extension.ts', 'extension/features', 'extension/host', 'test'),
    forbids: (_, specifier) => specifier === 'vscode',
  },
  {
    name: 'the compiler imports nothing but the compiler and shared/',
    binds: (file) => under(file, 'extension/core/compiler'),
    forbids: (target, specifier) =>
      specifier.startsWith('node:') ||
      (target !== '' && !under(target, 'extension/core/compiler', 'extension/shared')),
  },
  {
    name: 'shared/ imports nothing but shared/',
    binds: (file) => under(file, 'extension/shared'),
    forbids: (target, specifier) =>
      target === '' ? true : !under(target, 'extension/shared') || specifier.startsWith('node:'),
  },
  {
    name: 'the webview imports shared/, itself and its libraries',
    binds: (file) => under(file, 'webview'),
    forbids: (target, specifier) =>
      specifier.startsWith('node:') || (target !== '' && !under(target, 'webview', 'extension/shared')),
  },
  {
    name: 'core/ knows nothing of the interface',
    binds: (file) => under(file, 'extension/core'),
    forbids: (target) => under(target, 'extension/features', 'extension/host', 'extension/cli', 'webview'),
  },
  {
    name: 'nobody imports tests',
    binds: (file) => !under(file, 'test'),
    forbids: (target) => under(target, 'test'),
  },
];

for (const rule of rules) {
  test(`layers: ${rule.name}`, () => {
    const broken = sources.filter(rule.binds).flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => rule.forbids(resolve(file, specifier) ?? '', specifier))
        .map(({ specifier }) => `${file} imports ${specifier}`),
    );
    assert.deepEqual(broken, []);
  });
}

test('layers: a feature does not import another feature', () => {
  const feature = (file: string): string => file.split('/').slice(0, 3).join('/').replace(/\.ts$/, '');
  const broken = sources
    .filter((file) => under(file, 'extension/features'))
    .flatMap((file) => importsOf(file).map(({ specifier }) => ({ file, target: resolve(file, specifier) })))
    .filter(
      ({ file, target }) =>
        target !== null && under(target, 'extension/features') && feature(target) !== feature(file),
    )
    .map(({ file, target }) => `${file} imports ${target}`);
  assert.deepEqual(broken, []);
});

test('no import cycles', () => {
  const graph = new Map(
    sources.map((file) => [
      file,
      importsOf(file)
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ specifier }) => resolve(file, specifier))
        .filter((target) => target !== null),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, trail: string[]): void => {
    if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
    if (done.has(file) || trail.includes(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
  assert.deepEqual(cycles, []);
});

test('no source file is longer than 500 lines', () => {
  const long = [
    ...files,
    ...readdirSync('native', { recursive: true }).map((name) => path.join('native', String(name))),
  ]
    .filter((name) => /\.(ts|mjs|py|cc|h|css)$/.test(name) && statSync(name).isFile())
    .filter((name) => !under(name, 'test/fixtures'))
    .map((name) => ({ name, lines: readFileSync(name, 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > 500)
    .map(({ name, lines }) => `${name}: ${lines}`);
  assert.deepEqual(long, []);
});

test('no unfinished or machine-bound words in the sources', () => {
  const words = new RegExp(
    ['TO' + 'DO', 'FIX' + 'ME', '/wo' + 'rk/', '\\bas an' + 'y\\b', 'console\\.lo' + 'g\\('].join('|'),
  );
  const found = [
    ...files,
    ...readdirSync('native', { recursive: true }).map((name) => path.join('native', String(name))),
  ]
    .filter((name) => /\.(ts|mjs|py|cc|h)$/.test(name) && statSync(name).isFile())
    .filter((name) => !under(name, 'test/fixtures'))
    .flatMap((name) =>
      readFileSync(name, 'utf8')
        .split('\n')
        .map((line, index) => ({ place: `${name}:${index + 1}`, line }))
        .filter(({ line }) => words.test(line))
        .map(({ place, line }) => `${place} ${line.trim()}`),
    );
  assert.deepEqual(found, []);
});

test('the root has the folders that were agreed on, and no other', () => {
  const others = readdirSync('.', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) => !['extension', 'webview', 'native', 'media', 'test'].includes(name));
  // Made, never committed.
  assert.deepEqual(
    others.filter((name) => !['dist', 'node_modules'].includes(name)),
    [],
  );
});
