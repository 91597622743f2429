/**
 * End-to-end runner: opens a copy of `workspace/` in VS Code (or code-server) with the packed extension, then every suite
 * of this folder in the order of its name. Screenshots and logs are left in `dist/e2e`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { writeRunFolder } from '../fixtures/runFolder.js';
import { openEditor, type Editor } from './editor.js';
import { Session } from './session.js';
import type { Suite } from './suite.js';

const root = process.cwd();
const artefacts = path.join(root, 'dist', 'e2e');
const scratch = mkdtempSync(path.join(tmpdir(), 'crossover-e2e-'));
const places = {
  root,
  vsix: process.env['CROSSOVER_VSIX'] ?? path.join(root, 'dist', 'crossover.vsix'),
  workspace: path.join(scratch, 'workspace'),
  userData: path.join(scratch, 'user'),
  extensions: path.join(scratch, 'extensions'),
  screenshots: artefacts,
  leaks: path.join(scratch, 'leaks.jsonl'),
};
const settings = {
  'workbench.startupEditor': 'none',
  'workbench.editor.useModal': 'off',
  'workbench.editor.revealIfOpen': true,
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.layoutControl.enabled': false,
  'chat.disableAIFeatures': true,
  'editor.minimap.enabled': false,
  'editor.autoIndent': 'none',
  'editor.suggestOnTriggerCharacters': false,
  'editor.quickSuggestions': false,
  'extensions.ignoreRecommendations': true,
  'files.autoSave': 'off',
  'git.enabled': false,
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.untrustedFiles': 'open',
  'telemetry.telemetryLevel': 'off',
  'window.restoreWindows': 'all',
  'crossover.contexts': [32, 64],
  'crossover.tokensPerStep': 128,
};

let editor: Editor | null = null;
let session: Session | null = null;

before(async () => {
  rmSync(artefacts, { recursive: true, force: true });
  mkdirSync(artefacts, { recursive: true });
  if (process.env['CROSSOVER_VSIX'] === undefined) {
    const packing = spawnSync(process.execPath, ['extension/setup/package.mjs', '--built'], {
      stdio: 'inherit',
    });
    if (packing.status !== 0) throw new Error('The extension could not be packed: see above.');
  }
  process.env['CROSSOVER_LEAKS'] = places.leaks;
  cpSync(path.join(root, 'test', 'e2e', 'workspace'), places.workspace, { recursive: true });
  writeRunFolder(places.workspace);
  const configured = (page: Editor['page'] | null): Session => new Session(page, places, settings);
  configured(null).writeSettings();
  editor = await openEditor(places);
  session = configured(editor.page);
  await session.ready();
  process.stdout.write(`Running in ${editor.name}.\n`);
});

/** Removes a folder into which processes that are ending still write: retries of `rmSync` itself do not look for new files. */
async function remove(folder: string): Promise<void> {
  for (let left = 30; ; left--)
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
}

let tests = 0;
afterEach(async () => {
  tests++;
  if (process.env['CROSSOVER_E2E_STEPS'] !== undefined) await session?.screenshot(`step-${tests}`);
});

after(async () => {
  await session?.screenshot('last').catch(() => undefined);
  cpSync(path.join(places.userData, 'logs'), path.join(artefacts, 'logs'), { recursive: true, force: true });
  await editor?.close();
  await remove(scratch);
});

const folder = path.join(root, 'dist', 'test', 'e2e');
const asked = process.argv.slice(2);
const suites = readdirSync(folder)
  .filter((name) => name.endsWith('.test.js'))
  // The first suite is always run: the window is in Restricted Mode until its last test.
  .filter((name) => asked.length === 0 || name.startsWith('1-') || asked.some((part) => name.includes(part)))
  .sort();
for (const name of suites) {
  const { default: suite } = (await import(pathToFileURL(path.join(folder, name)).href)) as {
    default: Suite;
  };
  suite(() => {
    if (session === null) throw new Error('The window was not opened.');
    return session;
  });
}
