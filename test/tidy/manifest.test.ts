/** What package.json contributes: every string in package.nls.json, every command with category and a place, every file there. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { TOOL_NAMES, TOOLS } from '../../extension/core/agents/tools.js';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
interface Command {
  readonly command: string;
  readonly title: string;
  readonly category: string;
  readonly icon?: Json;
}
interface MenuItem {
  readonly command: string;
  readonly when: string;
  readonly group?: string;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly contributes: {
    readonly commands: readonly Command[];
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly [key: string]: Json | readonly Command[] | Readonly<Record<string, readonly MenuItem[]>>;
  };
};
const strings = JSON.parse(readFileSync('package.nls.json', 'utf8')) as Record<string, string>;
const { commands, menus } = manifest.contributes;

function* walk(
  value: unknown,
  place: string,
): Generator<readonly [place: string, key: string, text: string]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === 'string') yield [`${place}.${key}`, key, item];
    else yield* walk(item, `${place}.${key}`);
  }
}

test('every string that people read is in package.nls.json, and every string there is used', () => {
  const read = [
    'title',
    'category',
    'description',
    'markdownDescription',
    'label',
    'contents',
    'altText',
    'name',
  ];
  const used = new Set<string>();
  const plain: string[] = [];
  for (const [place, key, text] of walk(manifest, '')) {
    const reference = /^%([\w.]+)%$/.exec(text)?.[1];
    if (reference !== undefined) {
      assert.ok(
        Object.hasOwn(strings, reference),
        `${place} names ${reference}, which package.nls.json lacks`,
      );
      used.add(reference);
    } else if (
      place.startsWith('.contributes') &&
      (read.includes(key) || place.includes('enumDescriptions')) &&
      !/problem(Patterns|Matchers)\.\d+\.name$/.test(place) &&
      // What a language model reads is not translated.
      !/languageModelTools\.\d+\.(name|inputSchema\..*)$/.test(place)
    )
      plain.push(`${place}: ${text}`);
  }
  assert.deepEqual(plain, []);
  assert.deepEqual(
    Object.keys(strings).filter((key) => !used.has(key)),
    [],
  );
});

test('every command has a category, is registered, and can be reached', () => {
  const sources = readdirSync('extension/features')
    .map((name) => readFileSync(path.join('extension/features', name), 'utf8'))
    .join('\n');
  const hidden = new Set(
    menus['commandPalette']?.filter(({ when }) => when === 'false').map(({ command }) => command),
  );
  const shown = new Set(
    Object.entries(menus)
      .filter(([menu]) => menu !== 'commandPalette')
      .flatMap(([, items]) => items.map(({ command }) => command)),
  );
  for (const { command, category } of commands) {
    assert.equal(category, '%category%', command);
    const short = command.split('.').at(-1) ?? '';
    assert.ok(
      sources.includes(`'${command}'`) ||
        (command.startsWith('crossover.runs.') && sources.includes(`command('${short}'`)),
      `${command} is registered`,
    );
    const isClick = command === 'crossover.models.open';
    assert.ok(!hidden.has(command) || shown.has(command) || isClick, `${command} is in no menu`);
  }
});

test('menus name commands that exist, and buttons have icons', () => {
  for (const [menu, items] of Object.entries(menus))
    for (const { command, group, when } of items) {
      const found = commands.find((item) => item.command === command);
      assert.ok(found !== undefined, `${menu} names ${command}`);
      assert.notEqual(when, '', `${command} in ${menu} says when`);
      if (group?.startsWith('navigation') === true || group?.startsWith('inline') === true)
        assert.ok(found.icon !== undefined, `${command} is a button in ${menu} and has an icon`);
    }
});

test('every file that the manifest names is there', () => {
  const missing = [...walk(manifest.contributes, '')]
    .map(([, , text]) => text)
    .filter((text) => /^(\.\/)?(media|schemas)\//.test(text) && !existsSync(text));
  assert.deepEqual(missing, []);
});

test('settings are grouped, and numbers say their unit or what they count', () => {
  const groups = manifest.contributes['configuration'] as unknown as readonly {
    readonly properties: Readonly<
      Record<
        string,
        { readonly type: string; readonly description?: string; readonly markdownDescription?: string }
      >
    >;
  }[];
  assert.ok(groups.length > 1);
  for (const { properties } of groups)
    for (const [name, { type, description, markdownDescription }] of Object.entries(properties)) {
      const text = strings[(description ?? markdownDescription ?? '').replaceAll('%', '')] ?? '';
      assert.ok(text.length > 20, `${name} is described`);
      if (type === 'integer' || type === 'array') assert.match(text, /tokens|steps/i, name);
    }
});

test('extension/l10n/bundle.l10n.json has every text of the extension host (npm run l10n writes it)', async () => {
  const { bundle, texts } = (await import(pathToFileURL('extension/setup/l10n.mjs').href)) as {
    bundle: () => string;
    texts: () => string[];
  };
  assert.ok(texts().length > 80);
  assert.equal(readFileSync('extension/l10n/bundle.l10n.json', 'utf8'), bundle());
});

test('language-model tools say of themselves what the tools say that run', () => {
  const declared = manifest.contributes['languageModelTools'] as readonly Record<string, Json>[];
  assert.deepEqual(
    declared.map(({ name, modelDescription, inputSchema }) => ({ name, modelDescription, inputSchema })),
    TOOL_NAMES.map((name) => ({
      name: `crossover_${name}`,
      modelDescription: TOOLS[name].description,
      inputSchema: TOOLS[name].inputSchema,
    })),
  );
});
