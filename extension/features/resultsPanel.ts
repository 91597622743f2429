/** The results panel: one per window, beside the code. The host owns the truth and can rebuild it at any time. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { reportFile } from '../core/runs/index.js';
import { Replaceable, Store, type Disposable } from '../host/disposable.js';
import { guarded, sentence } from '../host/log.js';
import { namesLine } from '../host/lineCosts.js';
import { webviewOptions, webviewPage } from '../host/page.js';
import { saveFile } from '../host/saveFile.js';
import { LossSender } from '../host/lossSender.js';
import { rootOfRun, type RunReport } from '../host/runs.js';
import type { Services } from '../host/services.js';
import {
  DEFAULT_VIEW,
  never,
  parsePanelMessage,
  parsePanelState,
  parseView,
  type HostMessage,
  type PanelMessage,
  type View,
} from '../shared/protocol.js';
import { withoutPoints } from '../shared/lossColumns.js';
import type { Report } from '../shared/report.js';
import { tabFor } from '../shared/tabFor.js';

export const PANEL_TYPE = 'crossover.results';
const VIEW_KEY = 'view';
/** A report is sent to the panel at most this often. */
const SEND_EVERY_MS = 250;

export interface ResultsPanel extends Disposable {
  /** Shows a run; the keyboard stays where it is. */
  readonly show: (folder: string) => Promise<void>;
  /** Shows a run with some of the reader's choices changed. */
  readonly showAt: (folder: string, change: Partial<View>) => Promise<void>;
}

export function registerResultsPanel(services: Services): ResultsPanel {
  const { runs } = services;
  const store = new Store();
  const open = store.add(new Replaceable<OpenPanel>());

  const adopt = (panel: vscode.WebviewPanel): OpenPanel => {
    const opened = new OpenPanel(panel, services, () => {
      if (open.value === opened) open.value = undefined;
    });
    open.value = opened;
    return opened;
  };
  const showAt = async (folder: string, change: Partial<View>): Promise<void> => {
    const opened =
      open.value ??
      adopt(
        vscode.window.createWebviewPanel(
          PANEL_TYPE,
          'Crossover',
          { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
          webviewOptions(services.context.extensionUri),
        ),
      );
    await opened.show(folder, change);
    opened.reveal();
  };
  const show = (folder: string): Promise<void> => showAt(folder, {});

  store.add(
    vscode.window.registerWebviewPanelSerializer(PANEL_TYPE, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        const folder = parsePanelState(state)?.folder ?? runs.latest?.folder;
        const opened = adopt(panel);
        if (folder === undefined)
          opened.empty(
            vscode.l10n.t('The run of this panel is not known any more: run Crossover: Open Results.'),
          );
        else await opened.show(folder);
      },
    }),
  );
  store.add(runs.onDidStart((folder) => void show(folder)));
  store.add(
    runs.onDidReport(({ folder, report }) => {
      if (open.value?.folder === folder) open.value.update(report);
    }),
  );
  return {
    show,
    showAt,
    dispose: () => {
      store.dispose();
    },
  };
}

class OpenPanel implements Disposable {
  private readonly store = new Store();
  private shownFolder: string | null = null;
  /** What is shown: a run, or why there is none. */
  private shown: RunReport | string | null = null;
  /** Which losses the page has. */
  private readonly losses = new LossSender();
  private timer: NodeJS.Timeout | undefined;
  private listening = false;

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private readonly services: Services,
    closed: () => void,
  ) {
    const { extensionUri } = services.context;
    panel.iconPath = vscode.Uri.joinPath(extensionUri, 'media', 'panel.svg');
    panel.webview.options = webviewOptions(extensionUri);
    this.store.add(panel);
    this.store.add(panel.onDidDispose(closed));
    this.store.add(
      panel.webview.onDidReceiveMessage(
        guarded(services.log, async (raw: unknown) => {
          const message = parsePanelMessage(raw);
          if (message === null) services.log.warn(`Refused a message of the panel: ${JSON.stringify(raw)}`);
          else await this.receive(message);
        }),
      ),
    );
    panel.webview.html = webviewPage(panel.webview, extensionUri, { title: 'Crossover', bundle: 'panel' });
  }

  get folder(): string | null {
    return this.shownFolder;
  }

  reveal(): void {
    if (!this.panel.visible) this.panel.reveal(undefined, true);
  }

  async show(folder: string, change: Partial<View> = {}): Promise<void> {
    this.shownFolder = folder;
    try {
      const report = await this.services.runs.read(folder);
      await this.choose({ ...this.view, tab: tabFor(report, this.view.tab), ...change });
      this.update(report);
    } catch (error) {
      this.empty(sentence(error));
    }
  }

  empty(message: string): void {
    this.panel.title = 'Crossover';
    this.shown = message;
    this.send();
  }

  update(report: Report): void {
    if (this.shownFolder === null) return;
    this.panel.title = `Crossover: ${report.title}`;
    this.shown = { folder: this.shownFolder, report };
    if (report.status !== 'running') this.send();
    else
      this.timer ??= setTimeout(() => {
        this.send();
      }, SEND_EVERY_MS);
  }

  private get view(): View {
    return parseView(this.services.context.workspaceState.get(VIEW_KEY)) ?? DEFAULT_VIEW;
  }

  private async choose(view: View): Promise<void> {
    await this.services.context.workspaceState.update(VIEW_KEY, view);
  }

  /** A page that is not loaded asks with `ready` once it is. */
  private send(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.listening || this.shown === null) return;
    if (typeof this.shown === 'string') {
      this.post({ type: 'empty', message: this.shown });
      return;
    }
    const { folder, report } = this.shown;
    this.post({ type: 'report', folder, report: withoutPoints(report), view: this.view });
    for (const message of this.losses.next(report)) this.post(message);
  }

  private post(message: HostMessage): void {
    void this.panel.webview.postMessage(message);
  }

  private async receive(message: PanelMessage): Promise<void> {
    const { runs } = this.services;
    switch (message.type) {
      case 'ready':
        this.listening = true;
        this.losses.forget();
        this.send();
        return;
      case 'view':
        await this.choose(message.view);
        return;
      case 'cancel':
        if (this.shownFolder !== null) await runs.cancel(this.shownFolder);
        return;
      case 'exportHtml':
        if (typeof this.shown !== 'string' && this.shown !== null)
          await exportHtml(this.shown.folder, this.shown.report);
        return;
      case 'openLine':
        await this.openLine(message.file, message.line);
        return;
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        return;
      case 'save':
        await saveFile(message.file, this.shownFolder);
        return;
      default:
        never(message);
    }
  }

  /** Opens a line the shown report names; a page cannot have any other file opened. */
  private async openLine(file: string, line: number): Promise<void> {
    const { shown } = this;
    if (shown === null || typeof shown === 'string' || !namesLine(shown.report, file, line)) {
      this.services.log.warn(`Refused to open ${file}:${line}, which the report shown does not name.`);
      return;
    }
    const position = new vscode.Position(line - 1, 0);
    const place = path.resolve(rootOfRun(shown.folder), file);
    await vscode.window.showTextDocument(vscode.Uri.file(place), {
      viewColumn: vscode.ViewColumn.One,
      selection: new vscode.Range(position, position),
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.store.dispose();
  }
}

async function exportHtml(folder: string, report: Report): Promise<void> {
  const { renderHtmlReport } = await import('../core/report/html.js');
  const file = reportFile(folder);
  await writeFile(file, renderHtmlReport(report));
  const open = vscode.l10n.t('Open in Browser');
  const answer = await vscode.window.showInformationMessage(
    vscode.l10n.t('The report is one file that works offline: {0}', file),
    open,
  );
  if (answer === open) await vscode.env.openExternal(vscode.Uri.file(file));
}
