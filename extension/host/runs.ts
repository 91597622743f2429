/** The runs of this window: the one place that starts, follows, lists and cancels them. Everything else listens. */
import path from 'node:path';
import * as vscode from 'vscode';
import type { Engine } from './engine.js';
import type { Experiment } from '../core/experiments/experiment.js';
import {
  deleteRun,
  followRun,
  listRuns,
  readReport,
  writeMark,
  type RunEntry,
  type RunMark,
} from '../core/runs/index.js';
import type { Report } from '../shared/report.js';
import { RESTRICTED } from './trust.js';
import { Replaceable, Store, toDisposable, type Disposable } from './disposable.js';

export interface RunReport {
  /** Absolute path of the run folder. */
  readonly folder: string;
  readonly report: Report;
}

/** The folder that holds `.crossover/` of a run. */
export function rootOfRun(folder: string): string {
  return path.resolve(folder, '..', '..', '..');
}

/** Files that change together are told once. */
const SETTLE_MS = 250;
/** Runs that are looked through for one with what is wanted. */
const MOST_READ = 20;

export class Runs implements Disposable {
  private readonly store = new Store();
  private readonly started = this.store.add(new vscode.EventEmitter<string>());
  private readonly reported = this.store.add(new vscode.EventEmitter<RunReport>());
  private readonly ended = this.store.add(new vscode.EventEmitter<RunReport>());
  private readonly listed = this.store.add(new vscode.EventEmitter<void>());
  private readonly deleted = this.store.add(new vscode.EventEmitter<string>());
  private readonly unreadable = this.store.add(new vscode.EventEmitter<unknown>());
  private readonly following = this.store.add(new Replaceable());
  private current: string | null = null;
  private last: RunReport | null = null;

  /** A run was started by this window (its folder). */
  readonly onDidStart = this.started.event;
  /** The followed run has something new. */
  readonly onDidReport = this.reported.event;
  /** The followed run has ended, in whatever way. */
  readonly onDidEnd = this.ended.event;
  /** The list of runs is another one: one began, ended, was marked or deleted, here or elsewhere. */
  readonly onDidChangeList = this.listed.event;
  /** A run was deleted by this window (its folder). */
  readonly onDidDelete = this.deleted.event;
  /** A run folder could not be read. */
  readonly onDidFail = this.unreadable.event;

  constructor(
    private readonly engine: Engine,
    private readonly fallbackRoot: string,
  ) {}

  /** Folder of the run that is going on; `null` when none is. */
  get active(): string | null {
    return this.current;
  }

  /** Newest report of the followed run, also after its end. */
  get latest(): RunReport | null {
    return this.last;
  }

  /** Where runs of a file, or of no file in particular, are kept. */
  rootFor(file?: vscode.Uri): string {
    const holder = file === undefined ? undefined : vscode.workspace.getWorkspaceFolder(file);
    const folder = holder ?? vscode.workspace.workspaceFolders?.[0];
    if (folder !== undefined) return folder.uri.fsPath;
    return file === undefined ? this.fallbackRoot : path.dirname(file.fsPath);
  }

  /** Runs of every folder of the workspace, newest first. */
  async list(): Promise<RunEntry[]> {
    const folders = vscode.workspace.workspaceFolders?.map((folder) => folder.uri.fsPath) ?? [];
    const roots = new Set([
      ...folders,
      this.fallbackRoot,
      this.rootFor(vscode.window.activeTextEditor?.document.uri),
    ]);
    const lists = await Promise.all([...roots].map((root) => listRuns(root)));
    return lists.flat().sort((a, b) => b.startedAt - a.startedAt);
  }

  /** Reads a run as it stands. Rejects with a `RunError`. */
  async read(folder: string): Promise<Report> {
    return this.last?.folder === folder && this.current !== folder ? this.last.report : readReport(folder);
  }

  /**
   * The run of this window, then the newest ones before it, read one by one as they are asked for: a run that measured nothing
   * of interest hides no earlier one.
   */
  async *newestFirst(isWanted: (entry: RunEntry) => boolean = () => true): AsyncGenerator<RunReport> {
    const entries = (await this.list()).filter((entry) => entry.problem === null && isWanted(entry));
    const { last } = this;
    if (last !== null && entries.some(({ folder }) => folder === last.folder)) yield last;
    for (const { folder } of entries.slice(0, MOST_READ))
      if (folder !== last?.folder) yield { folder, report: await this.read(folder) };
  }

  async start(experiment: Experiment, root: string): Promise<string> {
    if (!vscode.workspace.isTrusted) throw new Error(RESTRICTED);
    const { folder } = await this.engine.start(experiment, root);
    this.follow(folder);
    this.started.fire(folder);
    this.listed.fire();
    return folder;
  }

  async cancel(folder: string): Promise<void> {
    await this.engine.cancel(folder);
  }

  /** Notes and pins of a run. */
  mark(folder: string, change: Partial<RunMark>): void {
    writeMark(folder, change);
    this.listed.fire();
  }

  /** Deletes a run that has ended, with everything that was measured. */
  delete(folder: string): void {
    deleteRun(folder);
    if (this.last?.folder === folder) this.last = null;
    this.deleted.fire(folder);
    this.listed.fire();
  }

  /** Resolves when the run is no longer followed as going on. */
  whenEnded(folder: string): Promise<void> {
    if (this.current !== folder) return Promise.resolve();
    return new Promise((resolve) => {
      const listener = this.onDidEnd((ended) => {
        if (ended.folder !== folder) return;
        listener.dispose();
        resolve();
      });
    });
  }

  /** Notices runs that another window or a terminal starts, ends or deletes. */
  watch(): void {
    let timer: NodeJS.Timeout | undefined;
    const changed = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        this.listed.fire();
        void this.findRunning();
      }, SETTLE_MS);
    };
    this.store.add(toDisposable(() => clearTimeout(timer)));
    // A new folder is told as a whole; what is written into it at once may not be.
    for (const pattern of ['**/.crossover/runs/*', '**/.crossover/runs/*/{run,mark}.json']) {
      const watcher = this.store.add(vscode.workspace.createFileSystemWatcher(pattern));
      this.store.add(watcher.onDidCreate(changed));
      this.store.add(watcher.onDidChange(changed));
      this.store.add(watcher.onDidDelete(changed));
    }
  }

  /** Follows the newest run that is still going on, if there is one: it outlives a reload of the window. */
  async findRunning(): Promise<void> {
    const running = (await this.list()).find((entry) => entry.status === 'running');
    if (running !== undefined && this.current === null) this.follow(running.folder);
  }

  private follow(folder: string): void {
    this.current = folder;
    const end = (): void => {
      if (this.current === folder) this.current = null;
    };
    const handle = followRun(
      folder,
      (report) => {
        this.last = { folder, report };
        if (report.status !== 'running') end();
        this.reported.fire(this.last);
        if (report.status === 'running') return;
        this.ended.fire(this.last);
        this.listed.fire();
      },
      (error) => {
        end();
        this.unreadable.fire(error);
      },
    );
    this.following.value = toDisposable(() => {
      handle.dispose();
    });
  }

  dispose(): void {
    this.store.dispose();
  }
}

export type { RunEntry };
