/** The nn.Module classes of the workspace, read from the text of its Python files; a file is read again when it changes. */
import * as vscode from 'vscode';
import { Store, toDisposable, type Disposable } from './disposable.js';
import { guessEntries, type EntryGuess } from './guessEntry.js';
import { moduleClasses } from './guessEntry.js';

export interface ModuleFile {
  readonly uri: vscode.Uri;
  /** From the most to the least likely model, with a guess how each is built. */
  readonly guesses: readonly EntryGuess[];
  /** Line of each class, from 1. */
  readonly lines: ReadonlyMap<string, number>;
}

const SKIPPED = '**/{node_modules,site-packages,.venv,venv,env,.git,.crossover,dist,build,__pycache__}/**';
const MOST_FILES = 400;
/** Longer files are not model files. */
const MOST_BYTES = 2_000_000;
const SETTLE_MS = 300;

export class ModuleScan implements Disposable {
  private readonly store = new Store();
  private readonly changed = this.store.add(new vscode.EventEmitter<void>());
  private readonly files = new Map<string, Promise<ModuleFile | null>>();
  private watching = false;

  /** Something was found, changed or removed since the last scan. */
  readonly onDidChange = this.changed.event;

  /** Every file that defines a module, by path. Files that have not changed are not read again. */
  async scan(): Promise<ModuleFile[]> {
    this.watch();
    const uris = await vscode.workspace.findFiles('**/*.py', SKIPPED, MOST_FILES);
    const found = await Promise.all(
      uris.map((uri) => {
        const key = uri.toString();
        const known = this.files.get(key) ?? readFile(uri);
        this.files.set(key, known);
        return known;
      }),
    );
    return found
      .filter((file) => file !== null)
      .sort((a, b) => (a.uri.fsPath < b.uri.fsPath ? -1 : a.uri.fsPath > b.uri.fsPath ? 1 : 0));
  }

  /** From the first scan on: a window that never asks has no watcher. */
  private watch(): void {
    if (this.watching) return;
    this.watching = true;
    const watcher = this.store.add(vscode.workspace.createFileSystemWatcher('**/*.py'));
    let timer: NodeJS.Timeout | undefined;
    const forget = (uri: vscode.Uri): void => {
      this.files.delete(uri.toString());
      clearTimeout(timer);
      timer = setTimeout(() => this.changed.fire(), SETTLE_MS);
    };
    this.store.add(watcher.onDidChange(forget));
    this.store.add(watcher.onDidCreate(forget));
    this.store.add(watcher.onDidDelete(forget));
    this.store.add(toDisposable(() => clearTimeout(timer)));
  }

  dispose(): void {
    this.store.dispose();
  }
}

async function readFile(uri: vscode.Uri): Promise<ModuleFile | null> {
  const bytes = await vscode.workspace.fs.readFile(uri).then(
    (content) => content,
    () => new Uint8Array(),
  );
  if (bytes.length > MOST_BYTES) return null;
  const text = Buffer.from(bytes).toString('utf8');
  const guesses = text.includes('Module') ? guessEntries(text) : [];
  if (guesses.length === 0) return null;
  const lines = new Map(moduleClasses(text).map(({ name, line }) => [name, line]));
  return { uri, guesses, lines };
}
