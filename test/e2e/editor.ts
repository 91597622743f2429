/**
 * Which VS Code the end-to-end suites run in: the one named by CROSSOVER_VSCODE, a downloaded one where there is a
 * display and the download answers, and code-server in Chromium everywhere else.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { codeServer } from './codeServer.js';

export interface Editor {
  readonly name: string;
  readonly page: Page;
  /** Ends the processes this editor consists of. */
  close(): Promise<void>;
}

export interface EditorPlaces {
  readonly root: string;
  readonly vsix: string;
  readonly workspace: string;
  readonly userData: string;
  readonly extensions: string;
}

const CHROMIUM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const VIEWPORT = { width: 1500, height: 950 };
const START_MS = 120_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function must(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): void {
  const result = spawnSync(command, args, { encoding: 'utf8', env, ...(cwd === undefined ? {} : { cwd }) });
  if (result.status !== 0)
    throw new Error(`${path.basename(command)} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(late);
}

/** Opens the workspace in whichever VS Code can be had. */
export async function openEditor(places: EditorPlaces): Promise<Editor> {
  const desktop = await desktopExecutable(places.root);
  return desktop === null ? openCodeServer(places) : openDesktop(desktop, places);
}

async function desktopExecutable(root: string): Promise<string | null> {
  const named = process.env['CROSSOVER_VSCODE'];
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return named;
    throw new Error(`CROSSOVER_VSCODE names ${named}, which does not exist: name the executable of VS Code.`);
  }
  if (process.platform === 'linux' && (process.env['DISPLAY'] ?? '') === '') return null;
  try {
    const { downloadAndUnzipVSCode } = await import('@vscode/test-electron');
    const probe = await fetch('https://update.code.visualstudio.com/api/releases/stable', {
      signal: AbortSignal.timeout(5000),
    });
    if (!probe.ok) return null;
    return await downloadAndUnzipVSCode({ cachePath: path.join(root, '.cache', 'vscode') });
  } catch {
    return null;
  }
}

async function openDesktop(executable: string, places: EditorPlaces): Promise<Editor> {
  const { resolveCliArgsFromVSCodeExecutablePath } = await import('@vscode/test-electron');
  const [cli = executable] = resolveCliArgsFromVSCodeExecutablePath(executable);
  const folders = ['--user-data-dir', places.userData, '--extensions-dir', places.extensions];
  must(cli, [...folders, '--install-extension', places.vsix], process.env);
  const port = await freePort();
  const child = spawn(
    executable,
    [
      ...folders,
      `--remote-debugging-port=${port}`,
      '--no-sandbox',
      '--disable-gpu',
      '--disable-updates',
      '--skip-welcome',
      '--skip-release-notes',
      '--new-window',
      places.workspace,
    ],
    { stdio: 'ignore' },
  );
  const browser = await connect(`http://127.0.0.1:${port}`);
  const page = await workbenchPage(browser);
  return {
    name: 'VS Code',
    page,
    close: async () => {
      await browser.close();
      await end(child);
    },
  };
}

async function connect(address: string): Promise<Browser> {
  for (const began = Date.now(); ;) {
    try {
      return await chromium.connectOverCDP(address);
    } catch (error) {
      if (Date.now() - began > START_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

async function workbenchPage(browser: Browser): Promise<Page> {
  for (const began = Date.now(); Date.now() - began < START_MS;) {
    const pages = browser.contexts().flatMap((context) => context.pages());
    const page = pages.find((candidate) => candidate.url().includes('workbench'));
    if (page !== undefined) return page;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('VS Code opened no window: is there a display?');
}

async function openCodeServer(places: EditorPlaces): Promise<Editor> {
  const { node, entry } = codeServer(places.root);
  const browserPath = CHROMIUM.find((file) => existsSync(file));
  if (browserPath === undefined)
    throw new Error('Chromium was not found: install it (apt-get install chromium) and run the tests again.');
  const port = await freePort();
  const home = path.join(places.userData, 'home');
  mkdirSync(home, { recursive: true });
  const { PATH, CROSSOVER_LEAKS } = process.env;
  const env: NodeJS.ProcessEnv = { PATH, CROSSOVER_LEAKS, HOME: home, LANG: 'C.UTF-8' };
  const folders = ['--user-data-dir', places.userData, '--extensions-dir', places.extensions];
  must(node, [entry, ...folders, '--install-extension', places.vsix], env);
  const child = spawn(
    node,
    [
      entry,
      ...folders,
      '--auth',
      'none',
      '--bind-addr',
      `127.0.0.1:${port}`,
      '--disable-telemetry',
      '--disable-update-check',
      places.workspace,
    ],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      output = (output + text.toString()).slice(-20_000);
    });
  const address = `http://127.0.0.1:${port}/?folder=${encodeURIComponent(places.workspace)}`;
  for (const began = Date.now(); ;) {
    if (child.exitCode !== null || Date.now() - began > START_MS)
      throw new Error(`code-server did not start:\n${output}`);
    if (
      await fetch(address).then(
        (reply) => reply.ok,
        () => false,
      )
    )
      break;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = await browser.newPage({ viewport: VIEWPORT });
  await page.goto(address);
  return {
    name: 'code-server',
    page,
    close: async () => {
      await browser.close();
      await end(child);
    },
  };
}
