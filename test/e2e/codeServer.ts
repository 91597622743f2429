/** code-server and the Node it needs, installed once below `.cache`; a half-finished or older install is done anew. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** code-server 4.139 is VS Code 1.139; its install scripts refuse every Node but 24. */
const VERSIONS = { node: '24', 'code-server': '4.139.1' } as const;
const INSTALL_MS = 20 * 60_000;
const OFFLINE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|network)\b/;

export interface CodeServer {
  /** The executable of the Node it runs under. */
  readonly node: string;
  readonly entry: string;
}

/** Where code-server is, installed first when it is not there. Throws a sentence when it cannot be had. */
export function codeServer(root: string): CodeServer {
  const prefix = path.join(root, '.cache', 'code-server');
  const modules = path.join(prefix, 'node_modules');
  const made = {
    node: path.join(modules, 'node', 'bin', 'node'),
    entry: path.join(modules, 'code-server', 'out', 'node', 'entry.js'),
  };
  // Written last: without it, or with another one in it, an install was cut short or is of other versions.
  const stamp = path.join(prefix, 'installed.json');
  const wanted = JSON.stringify({ ...VERSIONS, platform: `${process.platform}-${process.arch}` });
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
  if (fresh && existsSync(made.node) && existsSync(made.entry)) return made;

  rmSync(prefix, { recursive: true, force: true });
  mkdirSync(prefix, { recursive: true });
  const allowScripts = Object.fromEntries(['node', 'code-server', 'argon2'].map((name) => [name, true]));
  writeFileSync(path.join(prefix, 'package.json'), JSON.stringify({ private: true, allowScripts }));
  process.stderr.write('  code-server (two to five minutes, once) ... ');
  const began = Date.now();
  install(prefix, made.node, 'node');
  install(prefix, made.node, 'code-server');
  const version = run(made.node, [made.entry, '--version'], { ...process.env, HOME: prefix });
  if (version.status !== 0 || !existsSync(made.entry)) throw failure('code-server', version.output);
  writeFileSync(stamp, wanted);
  process.stderr.write(`${((Date.now() - began) / 1000).toFixed(0)} s\n`);
  return made;
}

/** Installs one package with the Node of `prefix` first on the path, once it is there. */
function install(prefix: string, node: string, name: keyof typeof VERSIONS): void {
  const args = ['install', '--no-audit', '--no-fund', '--prefix', prefix, `${name}@${VERSIONS[name]}`];
  const { status, output } = run('npm', args, installEnvironment(process.env, path.dirname(node)), prefix);
  if (status !== 0) throw failure(`${name}@${VERSIONS[name]}`, output);
}

/**
 * The environment of an install. Under `npm test` the outer npm describes itself in variables that the inner one would
 * believe: `npm_config_user_agent` names the Node it runs under, and that is what the install script of code-server asks.
 */
export function installEnvironment(outer: NodeJS.ProcessEnv, nodeFolder: string): NodeJS.ProcessEnv {
  const kept = Object.entries(outer).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|config_user_agent|execpath|node_execpath|command)|INIT_CWD$|NODE(_OPTIONS)?$)/i.test(
        name,
      ),
  );
  return { ...Object.fromEntries(kept), PATH: `${nodeFolder}${path.delimiter}${outer['PATH'] ?? ''}` };
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): { readonly status: number | null; readonly output: string } {
  const options = { encoding: 'utf8', env, timeout: INSTALL_MS, maxBuffer: 1 << 28 } as const;
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...options,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { status, output: `${stdout}${stderr}${error?.message ?? ''}` };
}

function failure(what: string, output: string): Error {
  process.stderr.write('failed\n');
  const next = 'or name an installed VS Code in CROSSOVER_VSCODE, and run npm test -- e2e again';
  return OFFLINE.test(output)
    ? new Error(
        `${what} could not be downloaded: connect this machine to the npm registry, ${next}.\n${output}`,
      )
    : new Error(`${what} could not be installed: mend what npm says below, ${next}.\n${output}`);
}
