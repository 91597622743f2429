/** What the lines of open files cost in the last run that measured them, kept in step with edits. Features draw it. */
import { readFile, stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { soon, Store, type Disposable } from './disposable.js';
import { lineAnnotations, type LineAnnotation } from './lineCosts.js';
import { LineTracker, type Place, type TextAt } from './lineTracker.js';
import type { Log } from './log.js';
import { rootOfRun, type RunReport, type Runs } from './runs.js';

/** A file written this long after the start of a run still counts as the one that was measured. */
const CLOCK_SLACK_MS = 1000;

export interface PlacedCost extends Place {
  readonly annotation: LineAnnotation;
}

export interface FileCosts {
  readonly run: RunReport;
  /** Every measured line, with where it stands now. */
  readonly lines: readonly PlacedCost[];
}

interface Tracked {
  readonly run: RunReport;
  readonly annotations: readonly LineAnnotation[];
  readonly tracker: LineTracker;
}

export class CostTracker implements Disposable {
  private readonly store = new Store();
  private readonly changed = this.store.add(new vscode.EventEmitter<vscode.TextDocument | null>());
  private readonly files = new Map<string, Promise<Tracked | null>>();

  /** The costs of a file have changed, or (`null`) those of any. */
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly runs: Runs,
    private readonly memento: vscode.Memento,
    private readonly log: Log,
  ) {
    this.store.add(
      runs.onDidReport(({ report }) => {
        if (report.timing.length > 0 || report.status !== 'running') this.forget();
      }),
    );
    this.store.add(runs.onDidDelete(() => this.forget()));
    this.store.add(
      vscode.workspace.onDidCloseTextDocument((document) => {
        this.files.delete(document.uri.toString());
      }),
    );
    this.store.add(
      vscode.workspace.onDidChangeTextDocument((event) => {
        void this.edited(event);
      }),
    );
    this.store.add(soon(() => this.changed.fire(null)));
  }

  /** The costs of an open Python file; `null` where no run measured it. */
  async costs(document: vscode.TextDocument): Promise<FileCosts | null> {
    if (document.languageId !== 'python' || document.uri.scheme !== 'file') return null;
    const key = document.uri.toString();
    const known = this.files.get(key) ?? this.load(document);
    this.files.set(key, known);
    try {
      const tracked = await known;
      return tracked === null ? null : costsOf(tracked);
    } catch (error) {
      this.files.delete(key);
      this.log.warn(`No annotations for ${document.uri.fsPath}: ${String(error)}`);
      return null;
    }
  }

  private forget(): void {
    this.files.clear();
    this.changed.fire(null);
  }

  private async edited({ document, contentChanges }: vscode.TextDocumentChangeEvent): Promise<void> {
    const tracked = await this.files.get(document.uri.toString());
    if (tracked === undefined || tracked === null || contentChanges.length === 0) return;
    tracked.tracker.edit(
      contentChanges.map(({ range, text }) => ({
        start: range.start.line,
        end: range.end.line,
        lines: text.split('\n').length,
      })),
      textOf(document),
    );
    this.changed.fire(document);
  }

  private async load(document: vscode.TextDocument): Promise<Tracked | null> {
    const file = document.uri.fsPath;
    for await (const run of this.runs.newestFirst()) {
      const annotations = lineAnnotations(run.report, rootOfRun(run.folder), file);
      if (annotations.length === 0) continue;
      const lines = annotations.map(({ line }) => line - 1);
      const texts = await this.measuredTexts(file, run, lines);
      const measured = lines.map((line, index) => ({ line, text: texts?.[index] ?? null }));
      return { run, annotations, tracker: new LineTracker(measured, textOf(document)) };
    }
    return null;
  }

  /** Text of lines when they were measured: remembered, or that of the file on disk when it is older than the run. */
  private async measuredTexts(
    file: string,
    { folder, report }: RunReport,
    lines: readonly number[],
  ): Promise<readonly (string | null)[] | null> {
    const key = `measured:${file}`;
    const kept = this.memento.get<{ run: string; texts?: (string | null)[] }>(key);
    if (kept?.run === folder && kept.texts?.length === lines.length) return kept.texts;
    const { mtimeMs } = await stat(file);
    if (mtimeMs > report.startedAt + CLOCK_SLACK_MS) return null;
    const all = (await readFile(file, 'utf8')).split(/\r?\n/);
    const texts = lines.map((line) => all[line] ?? null);
    if (report.status !== 'running') await this.memento.update(key, { run: folder, texts });
    return texts;
  }

  dispose(): void {
    this.store.dispose();
  }
}

function costsOf({ run, annotations, tracker }: Tracked): FileCosts {
  const { places } = tracker;
  return {
    run,
    lines: annotations.map((annotation, index) => ({
      annotation,
      ...(places[index] ?? { line: null, stale: true }),
    })),
  };
}

function textOf(document: vscode.TextDocument): TextAt {
  return (line) => (line >= 0 && line < document.lineCount ? document.lineAt(line).text : undefined);
}
