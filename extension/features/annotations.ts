/** Costs beside the lines of a measured model file: figures, bars behind them, marks in the ruler, tables on hovering. */
import * as vscode from 'vscode';
import { annotationCell, annotationHover, annotationText } from '../host/annotationText.js';
import { breakdownLink, SHOW_IN_BREAKDOWN } from '../host/breakdownLink.js';
import type { FileCosts, PlacedCost } from '../host/costTracker.js';
import { Store, toDisposable, type Disposable } from '../host/disposable.js';
import { barWidth } from '../host/lineCosts.js';
import type { Services } from '../host/services.js';
import type { Settings } from '../host/settings.js';

/** Share of the step from which a line is marked in the overview ruler. */
const HOT = 0.05;
/** Edits that come fast are drawn once. */
const SETTLE_MS = 60;
/** A column needs a decoration on every line: in longer files figures stand after their lines. */
const MOST_COLUMN_LINES = 5000;

interface Spot extends PlacedCost {
  readonly range: vscode.Range;
}

interface Styles {
  /** Lines of the column that have no figure. */
  readonly blank: vscode.TextEditorDecorationType;
  readonly column: vscode.TextEditorDecorationType;
  readonly figures: vscode.TextEditorDecorationType;
  readonly bars: vscode.TextEditorDecorationType;
  readonly hot: vscode.TextEditorDecorationType;
}

export function registerAnnotations({ costs, settings }: Services): Disposable {
  const store = new Store();
  const styles = createStyles(store);
  let timer: NodeJS.Timeout | undefined;

  const refresh = async (editor: vscode.TextEditor): Promise<void> => {
    if (editor.document.languageId !== 'python') return;
    draw(editor, await costs.costs(editor.document), settings.value, styles);
  };
  const refreshAll = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const editor of vscode.window.visibleTextEditors) void refresh(editor);
    }, SETTLE_MS);
  };
  store.add(toDisposable(() => clearTimeout(timer)));
  store.add(costs.onDidChange(refreshAll));
  store.add(settings.onDidChange(refreshAll));
  store.add(vscode.window.onDidChangeVisibleTextEditors(refreshAll));
  return store;
}

function createStyles(store: Store): Styles {
  const add = (options: vscode.DecorationRenderOptions): vscode.TextEditorDecorationType =>
    store.add(vscode.window.createTextEditorDecorationType(options));
  const margin = '0 2ch 0 0';
  return {
    blank: add({ before: { margin, contentText: annotationCell(null, false, vscode.l10n.t) } }),
    column: add({ before: { margin } }),
    figures: add({ after: { margin: '0 0 0 3em' } }),
    bars: add({}),
    hot: add({
      overviewRulerColor: new vscode.ThemeColor('crossover.hotLine'),
      overviewRulerLane: vscode.OverviewRulerLane.Right,
    }),
  };
}

function draw(editor: vscode.TextEditor, costs: FileCosts | null, settings: Settings, styles: Styles): void {
  const { document } = editor;
  const spots: Spot[] = (costs !== null && settings.annotations ? costs.lines : []).flatMap((placed) =>
    placed.line === null || placed.line >= document.lineCount
      ? []
      : [{ ...placed, range: document.lineAt(placed.line).range }],
  );
  const inColumn = settings.annotationPosition === 'start' && document.lineCount <= MOST_COLUMN_LINES;
  const fresh = spots.filter(({ stale }) => !stale);
  editor.setDecorations(
    styles.bars,
    settings.annotationBackground
      ? fresh.flatMap(({ annotation, range }) => barOf(annotation.shown.cost.share, range))
      : [],
  );
  const cells = settings.annotationText && inColumn ? spots : [];
  editor.setDecorations(styles.column, cells.map(cellOf));
  editor.setDecorations(styles.blank, cells.length === 0 ? [] : otherLines(document, cells));
  editor.setDecorations(
    styles.figures,
    spots.map((spot) => figureOf(spot, document.uri, settings.annotationText && !inColumn)),
  );
  editor.setDecorations(
    styles.hot,
    settings.annotationRuler
      ? fresh.filter(({ annotation }) => annotation.shown.cost.share >= HOT).map(({ range }) => range)
      : [],
  );
}

function textStyle(stale: boolean): vscode.ThemableDecorationAttachmentRenderOptions {
  return {
    color: new vscode.ThemeColor(stale ? 'crossover.staleAnnotation' : 'crossover.annotation'),
    fontStyle: stale ? 'italic' : 'normal',
  };
}

function cellOf({ annotation, stale, range }: Spot): vscode.DecorationOptions {
  return {
    range: new vscode.Range(range.start.line, 0, range.start.line, 0),
    renderOptions: {
      before: { contentText: annotationCell(annotation, stale, vscode.l10n.t), ...textStyle(stale) },
    },
  };
}

function otherLines(document: vscode.TextDocument, cells: readonly Spot[]): vscode.Range[] {
  const taken = new Set(cells.map(({ range }) => range.start.line));
  return Array.from({ length: document.lineCount }, (_, line) => line)
    .filter((line) => !taken.has(line))
    .map((line) => new vscode.Range(line, 0, line, 0));
}

/** The hover, and the figure after the line where it stands there. */
function figureOf(
  { annotation, stale, range }: Spot,
  uri: vscode.Uri,
  withText: boolean,
): vscode.DecorationOptions {
  const link = breakdownLink(vscode.l10n.t('Show in Breakdown'), uri.toString(), range.start.line);
  const hoverMessage = new vscode.MarkdownString(
    `${annotationHover(annotation, stale, vscode.l10n.t)}\n\n${link}`,
  );
  hoverMessage.isTrusted = { enabledCommands: [SHOW_IN_BREAKDOWN] };
  return {
    range,
    hoverMessage,
    ...(withText
      ? {
          renderOptions: {
            after: { contentText: annotationText(annotation, stale, vscode.l10n.t), ...textStyle(stale) },
          },
        }
      : {}),
  };
}

/** A bar from the first character of a line on, behind its text: it takes no room, since its margin takes it back. */
function barOf(share: number, line: vscode.Range): vscode.DecorationOptions[] {
  const width = barWidth(share);
  if (width === 0) return [];
  return [
    {
      range: new vscode.Range(line.start, line.start),
      renderOptions: {
        before: {
          // Not empty, so that the box stands on the text's own baseline.
          contentText: '\u200b',
          width: `${width}ch`,
          height: '100%',
          margin: `0 -${width}ch 0 0`,
          backgroundColor: new vscode.ThemeColor('crossover.lineBar'),
        },
      },
    },
  ];
}
