/** Costs beside the lines of a measured model file; marked stale once the file differs from what was measured. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { annotationCell, annotationHover, annotationText } from '../host/annotationText.js';
import { soon, Store, toDisposable, type Disposable } from '../host/disposable.js';
import { lineAnnotations, moveLine, SHADES, shadeOf, type LineAnnotation } from '../host/lineCosts.js';
import type { Log } from '../host/log.js';
import { rootOfRun, type RunReport, type Runs } from '../host/runs.js';
import type { SettingsSource } from '../host/settings.js';

/** Share of the step from which a line is marked in the overview ruler. */
const HOT = 0.05;
/** A file written this long after the start of a run still counts as the one that was measured. */
const CLOCK_SLACK_MS = 1000;
/** Runs that are looked through for one that measured a file. */
const MOST_RUNS = 20;

interface FileState {
  readonly annotations: readonly LineAnnotation[];
  /** SHA-256 of the measured text; `null` when the file has changed since and it cannot be known. */
  readonly measured: string | null;
  /** Where each annotation stands now, lines from 0. */
  positions: number[];
  stale: boolean;
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export function registerAnnotations(
  runs: Runs,
  settings: SettingsSource,
  memento: vscode.Memento,
  log: Log,
): Disposable {
  const store = new Store();
  const files = new Map<string, Promise<FileState | null>>();
  const column = store.add(vscode.window.createTextEditorDecorationType({ before: { margin: '0 2ch 0 0' } }));
  const figures = store.add(
    vscode.window.createTextEditorDecorationType({ after: { margin: '0 0 0 3em' }, isWholeLine: true }),
  );
  const hot = store.add(
    vscode.window.createTextEditorDecorationType({
      overviewRulerColor: new vscode.ThemeColor('crossover.hotLine'),
      overviewRulerLane: vscode.OverviewRulerLane.Right,
    }),
  );
  const shades = Array.from({ length: SHADES }, (_, index) => {
    const alpha = (0.05 * (index + 1)).toFixed(2);
    return store.add(
      vscode.window.createTextEditorDecorationType({
        isWholeLine: true,
        light: { backgroundColor: `rgba(214, 107, 0, ${alpha})` },
        dark: { backgroundColor: `rgba(255, 150, 50, ${alpha})` },
      }),
    );
  });

  /** Text that was measured: remembered, or the file on disk when it is older than the run. */
  const measuredHash = async (file: string, { folder, report }: RunReport): Promise<string | null> => {
    const key = `measured:${file}`;
    const kept = memento.get<{ run: string; hash: string }>(key);
    if (kept?.run === folder) return kept.hash;
    const { mtimeMs } = await stat(file);
    if (mtimeMs > report.startedAt + CLOCK_SLACK_MS) return null;
    const hash = hashOf(await readFile(file, 'utf8'));
    await memento.update(key, { run: folder, hash });
    return hash;
  };

  const load = async (document: vscode.TextDocument): Promise<FileState | null> => {
    const file = document.uri.fsPath;
    for await (const source of newestFirst(runs)) {
      const annotations = lineAnnotations(source.report, rootOfRun(source.folder), file);
      if (annotations.length === 0) continue;
      const measured = await measuredHash(file, source);
      return {
        annotations,
        measured,
        positions: annotations.map(({ line }) => line - 1),
        stale: hashOf(document.getText()) !== measured,
      };
    }
    return null;
  };

  const draw = (editor: vscode.TextEditor, state: FileState | null): void => {
    const show = settings.value.annotations && state !== null;
    const background = show && settings.value.annotationBackground && !state.stale;
    const spots = show
      ? state.annotations.flatMap((annotation, index) => {
          const line = state.positions[index] ?? -1;
          if (line < 0 || line >= editor.document.lineCount) return [];
          return [{ annotation, range: editor.document.lineAt(line).range }];
        })
      : [];
    const stale = state?.stale ?? false;
    const style = {
      color: new vscode.ThemeColor(stale ? 'crossover.staleAnnotation' : 'crossover.annotation'),
      fontStyle: stale ? 'italic' : 'normal',
    };
    const inFront = settings.value.annotationPosition === 'start';
    const byLine = new Map(spots.map(({ annotation, range }) => [range.start.line, annotation]));
    editor.setDecorations(
      column,
      spots.length === 0 || !inFront
        ? []
        : Array.from({ length: editor.document.lineCount }, (_, line) => ({
            range: new vscode.Range(line, 0, line, 0),
            renderOptions: {
              before: { contentText: annotationCell(byLine.get(line) ?? null, stale), ...style },
            },
          })),
    );
    editor.setDecorations(
      figures,
      spots.map(({ annotation, range }) => ({
        range,
        hoverMessage: new vscode.MarkdownString(annotationHover(annotation, stale)),
        ...(inFront
          ? {}
          : { renderOptions: { after: { contentText: annotationText(annotation, stale), ...style } } }),
      })),
    );
    const share = (annotation: LineAnnotation): number => annotation.shown.cost.share;
    editor.setDecorations(
      hot,
      stale ? [] : spots.filter(({ annotation }) => share(annotation) >= HOT).map(({ range }) => range),
    );
    shades.forEach((shade, index) => {
      const within = ({ annotation }: { annotation: LineAnnotation }): boolean =>
        background && shadeOf(share(annotation)) === index + 1;
      editor.setDecorations(
        shade,
        spots.filter(within).map(({ range }) => range),
      );
    });
  };

  const refresh = async (editor: vscode.TextEditor): Promise<void> => {
    const { document } = editor;
    if (document.languageId !== 'python' || document.uri.scheme !== 'file') return;
    const key = document.uri.toString();
    let state = files.get(key);
    if (state === undefined) {
      state = load(document);
      files.set(key, state);
    }
    try {
      draw(editor, await state);
    } catch (error) {
      files.delete(key);
      log.warn(`No annotations for ${document.uri.fsPath}: ${String(error)}`);
    }
  };
  const refreshAll = (): void => {
    for (const editor of vscode.window.visibleTextEditors) void refresh(editor);
  };

  const edited = async (event: vscode.TextDocumentChangeEvent): Promise<void> => {
    const state = await files.get(event.document.uri.toString());
    if (state === undefined || state === null || event.contentChanges.length === 0) return;
    for (const { range, text } of event.contentChanges) {
      const edit = { start: range.start.line, end: range.end.line, lines: text.split('\n').length };
      state.positions = state.positions.map((line) => moveLine(line, edit));
    }
    state.stale = hashOf(event.document.getText()) !== state.measured;
    if (!state.stale) state.positions = state.annotations.map(({ line }) => line - 1);
    for (const editor of vscode.window.visibleTextEditors)
      if (editor.document === event.document) draw(editor, state);
  };

  store.add(
    runs.onDidReport(({ report }) => {
      if (report.timing.length === 0 && report.status === 'running') return;
      files.clear();
      refreshAll();
    }),
  );
  store.add(settings.onDidChange(refreshAll));
  store.add(vscode.window.onDidChangeVisibleTextEditors(refreshAll));
  store.add(vscode.workspace.onDidCloseTextDocument((document) => files.delete(document.uri.toString())));
  store.add(vscode.workspace.onDidChangeTextDocument((event) => void edited(event)));
  store.add(
    toDisposable(() => {
      files.clear();
    }),
  );
  store.add(soon(refreshAll));
  return store;
}

/** The run of this window, then the newest ones before it: a run that measured nothing hides no earlier one. */
async function* newestFirst(runs: Runs): AsyncGenerator<RunReport> {
  if (runs.latest !== null) yield runs.latest;
  const readable = (await runs.list()).filter(({ problem }) => problem === null);
  for (const { folder } of readable.slice(0, MOST_RUNS))
    if (folder !== runs.latest?.folder) yield { folder, report: await runs.read(folder) };
}
