/** Reads, on the host, the Python files a model consists of: the model file, and what its imports name near it. */
import { readFileSync, realpathSync, statSync, existsSync } from 'node:fs';
import path from 'node:path';
import { TraceError } from './tracer.js';

/** All files together. */
const sizeLimitBytes = 4 * 2 ** 20;
const fileLimit = 500;

export interface Sources {
  /** Folder the virtual paths start from. */
  readonly root: string;
  /** Virtual path of the model file. */
  readonly file: string;
  /** Text by virtual path: relative to `root`, with `/`. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Modules that our own packages provide; a folder of that name beside the model does not replace them. */
const provided = new Set(['torch', 'crossover', 'crossover_trace', 'crossover_tracer', 'crossover_lockdown']);

interface Import {
  /** Leading dots. */
  readonly level: number;
  /** Dotted name, `''` in `from . import x`. */
  readonly module: string;
  /** Names after `import` in a `from` statement: each may be a submodule. */
  readonly names: readonly string[];
}

/** Import statements, wherever they stand. A sentence in a docstring may be taken for one: it names no file then. */
export function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const joined = text.replace(/\\\r?\n/g, ' ');
  const from = /^[ \t]*from[ \t]+(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]*)/gm;
  for (const [, dots, module, names] of joined.matchAll(from)) {
    const listed = names!.replace(/#.*$/gm, '').replace(/[()\s]+/g, ' ');
    found.push({
      level: dots!.length,
      module: module!,
      names: listed
        .split(',')
        .map((name) => name.trim().split(/\s+/)[0]!)
        .filter((name) => /^\w+$/.test(name)),
    });
  }
  for (const [, names] of joined.matchAll(/^[ \t]*import[ \t]+([^\n#;]*)/gm)) {
    for (const name of names!.split(',')) {
      const module = name.trim().split(/\s+/)[0]!;
      if (/^[\w.]+$/.test(module)) found.push({ level: 0, module, names: [] });
    }
  }
  return found;
}

/** The folder above the topmost package that `folder` belongs to. */
function packageRoot(folder: string): string {
  let root = folder;
  while (existsSync(path.join(root, '__init__.py')) && path.dirname(root) !== root) root = path.dirname(root);
  return root;
}

/** The nearest folder, at most five above, that looks like a project's; else `folder`. */
function projectRoot(folder: string): string {
  let candidate = folder;
  for (let step = 0; step < 6; step++) {
    if (['.git', 'pyproject.toml', 'setup.py'].some((name) => existsSync(path.join(candidate, name))))
      return candidate;
    candidate = path.dirname(candidate);
  }
  return folder;
}

/** The folders from `inner` up to `outer`: files are run from any of them. */
function between(outer: string, inner: string): string[] {
  return inner === outer ? [outer] : [inner, ...between(outer, path.dirname(inner))];
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

class Collector {
  readonly texts: Record<string, string> = {};
  private bytes = 0;
  private readonly realRoot: string;

  constructor(
    readonly root: string,
    private readonly folders: readonly string[],
  ) {
    this.realRoot = realpathSync(root);
  }

  /** Adds a file and what it imports. A link that leads out of the root is not followed. */
  add(file: string): void {
    const name = path.relative(this.root, file).split(path.sep).join('/');
    if (this.texts[name] !== undefined || !isFile(file)) return;
    const real = path.relative(this.realRoot, realpathSync(file));
    if (real.startsWith('..') || path.isAbsolute(real)) return;
    this.bytes += statSync(file).size;
    if (this.bytes > sizeLimitBytes || Object.keys(this.texts).length >= fileLimit) {
      const limit = `${sizeLimitBytes / 2 ** 20} MiB or ${fileLimit} files`;
      const message = `${file} and what it imports are more than ${limit}; import less, or point to a smaller file.`;
      throw new TraceError(message, 'size', file, null);
    }
    const text = readFileSync(file, 'utf8');
    this.texts[name] = text;
    for (const statement of importsOf(text)) this.follow(statement, path.dirname(file));
  }

  private follow({ level, module, names }: Import, folder: string): void {
    const parts = module === '' ? [] : module.split('.');
    if (level === 0 && provided.has(parts[0]!)) return;
    let bases = this.folders;
    if (level > 0) bases = [path.join(folder, ...Array<string>(level - 1).fill('..'))];
    for (const base of bases) {
      if (path.relative(this.root, base).startsWith('..')) continue;
      if (this.module(base, parts, level > 0)) {
        for (const name of names) this.module(path.join(base, ...parts), [name], true);
        return;
      }
    }
  }

  /** Adds the module and the packages it stands in; whether anything of it is there. */
  private module(base: string, parts: readonly string[], relative: boolean): boolean {
    const target = path.join(base, ...parts);
    const found = isFile(`${target}.py`) || isFile(path.join(target, '__init__.py'));
    const folder = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!found && !folder) return false;
    for (let depth = relative ? 0 : 1; depth <= parts.length; depth++) {
      this.add(path.join(base, ...parts.slice(0, depth), '__init__.py'));
    }
    this.add(`${target}.py`);
    return true;
  }
}

/**
 * Reads the model file and every Python file its imports name, transitively: beside it, in packages beneath its folder,
 * in its own package, and from the project's root or a folder between them.
 * @throws TraceError when the file cannot be read or everything together is too large.
 */
export function collectSources(file: string): Sources {
  if (!isFile(file)) throw new TraceError(`There is no file ${file}.`, 'file', file, null);
  const folder = path.dirname(file);
  const own = packageRoot(folder);
  const project = projectRoot(own);
  const collector = new Collector(project, [...new Set([folder, ...between(project, own)])]);
  try {
    let init = folder;
    while (init !== own) {
      collector.add(path.join(init, '__init__.py'));
      init = path.dirname(init);
    }
    collector.add(file);
  } catch (error) {
    if (error instanceof TraceError) throw error;
    throw new TraceError(`${file} cannot be read: ${(error as Error).message}.`, 'file', file, null);
  }
  const name = path.relative(project, file).split(path.sep).join('/');
  if (collector.texts[name] === undefined) {
    throw new TraceError(
      `${file} is a link that leads out of its project; open the file it points to.`,
      'file',
      file,
      null,
    );
  }
  return { root: project, file: name, texts: collector.texts };
}
