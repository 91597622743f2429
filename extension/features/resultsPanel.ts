/** Results panels: one per experiment, beside the code. The host owns the truth and can rebuild them at any time. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { overlay, readRecord, reportFile } from '../core/runs/index.js';
import { Store, toDisposable, type Disposable } from '../host/disposable.js';
import { guarded, sentence } from '../host/log.js';
import { namesLine } from '../host/lineCosts.js';
import { webviewOptions, webviewPage } from '../host/page.js';
import { pickTogether } from '../host/pickRuns.js';
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
/** A report is sent to the panel at most this often; one of several runs takes longer to make. */
const SEND_EVERY_MS = 250;
const SEND_TOGETHER_EVERY_MS = 3000;

export interface ResultsPanel extends Disposable {
  /** Shows a run, in the panel of its experiment if there is one; the keyboard stays where it is. */
  readonly show: (folder: string) => Promise<void>;
  /** Shows a run with some of the reader's choices changed. */
  readonly showAt: (folder: string, change: Partial<View>) => Promise<void>;
  /** Shows several runs in one panel. */
  readonly showTogether: (folders: readonly string[]) => Promise<void>;
}

export function registerResultsPanel(services: Services): ResultsPanel {
  const { runs } = services;
  const store = new Store();
  const open = new Set<OpenPanel>();
  const close = (opened: OpenPanel): void => {
    if (open.delete(opened)) opened.dispose();
  };
  store.add(
    toDisposable(() => {
      for (const opened of [...open]) close(opened);
    }),
  );

  const adopt = (panel: vscode.WebviewPanel): OpenPanel => {
    const opened = new OpenPanel(panel, services, () => {
      close(opened);
    });
    open.add(opened);
    return opened;
  };
  /** Panels stand together: where the first one is. */
  const create = (): OpenPanel => {
    const viewColumn = [...open].find(({ column }) => column !== undefined)?.column;
    return adopt(
      vscode.window.createWebviewPanel(
        PANEL_TYPE,
        'Crossover',
        { viewColumn: viewColumn ?? vscode.ViewColumn.Beside, preserveFocus: true },
        webviewOptions(services.context.extensionUri),
      ),
    );
  };
  const showAt = async (folders: readonly string[], change: Partial<View>): Promise<void> => {
    const panels = [...open];
    const experiment = experimentOf(folders);
    const opened =
      panels.find((panel) => panel.shows(folders)) ??
      panels.find((panel) => experiment !== null && panel.experiment === experiment) ??
      create();
    await opened.show(folders, change);
    opened.reveal();
  };
  const showTogether = (folders: readonly string[]): Promise<void> => showAt(folders, {});
  const show = (folder: string): Promise<void> => showAt([folder], {});

  store.add(
    vscode.window.registerWebviewPanelSerializer(PANEL_TYPE, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        const latest = runs.latest === null ? [] : [runs.latest.folder];
        const folders = parsePanelState(state)?.folders ?? latest;
        const opened = adopt(panel);
        if (folders.length === 0)
          opened.empty(
            vscode.l10n.t('The run of this panel is not known any more: run Crossover: Open Results.'),
          );
        else await opened.show(folders);
      },
    }),
  );
  store.add(runs.onDidStart((folder) => void show(folder)));
  store.add(
    runs.onDidReport((news) => {
      for (const opened of open) opened.update(news);
    }),
  );
  return {
    show,
    showAt: (folder, change) => showAt([folder], change),
    showTogether,
    dispose: () => {
      store.dispose();
    },
  };
}

/** What was asked to be measured, as a text that is the same for every run of it; `null` for several runs, or one unreadable. */
function experimentOf(folders: readonly string[]): string | null {
  const [folder] = folders;
  if (folder === undefined || folders.length > 1) return null;
  try {
    return JSON.stringify(readRecord(folder).experiment);
  } catch {
    return null;
  }
}

class OpenPanel implements Disposable {
  private readonly store = new Store();
  private folders: readonly string[] = [];
  /** Of the run shown. */
  experiment: string | null = null;
  /** What is shown: runs, or why there are none. */
  private shown: readonly RunReport[] | string = [];
  private made: { readonly of: readonly RunReport[]; readonly report: Report } | null = null;
  private chosen: View | null = null;
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

  get column(): vscode.ViewColumn | undefined {
    return this.panel.viewColumn;
  }

  shows(folders: readonly string[]): boolean {
    return this.folders.join('\n') === folders.join('\n');
  }

  reveal(): void {
    if (!this.panel.visible) this.panel.reveal(undefined, true);
  }

  async show(folders: readonly string[], change: Partial<View> = {}): Promise<void> {
    this.folders = folders;
    this.experiment = experimentOf(folders);
    const { runs, log } = this.services;
    const read: RunReport[] = [];
    let problem = '';
    for (const folder of folders)
      try {
        read.push({ folder, report: await runs.read(folder) });
      } catch (error) {
        problem = sentence(error);
        log.warn(problem);
      }
    // Others may have been asked for meanwhile.
    if (this.folders !== folders) return;
    if (read.length === 0) {
      this.empty(problem);
      return;
    }
    this.shown = read;
    const report = this.report();
    if (report !== null) await this.choose({ ...this.view, tab: tabFor(report, this.view.tab), ...change });
    this.present();
  }

  empty(message: string): void {
    this.panel.title = 'Crossover';
    this.shown = message;
    this.send();
  }

  /** Takes a newer report of a run; of no interest where it is not shown. */
  update(news: RunReport): void {
    if (!this.folders.includes(news.folder)) return;
    const others = typeof this.shown === 'string' ? [] : this.shown;
    const known = others.some(({ folder }) => folder === news.folder);
    this.shown = known ? others.map((run) => (run.folder === news.folder ? news : run)) : [...others, news];
    this.present(news.report.status === 'running');
  }

  /** What is shown as one report; `null` where nothing is. */
  private report(): Report | null {
    const { shown } = this;
    if (typeof shown === 'string' || shown.length === 0) return null;
    if (this.made?.of !== shown)
      this.made = {
        of: shown,
        report: overlay(shown.map(({ folder, report }) => ({ root: rootOfRun(folder), report }))),
      };
    return this.made.report;
  }

  private present(soon = false): void {
    if (!soon) this.send();
    else
      this.timer ??= setTimeout(
        () => {
          this.send();
        },
        this.folders.length > 1 ? SEND_TOGETHER_EVERY_MS : SEND_EVERY_MS,
      );
  }

  /** The reader's choices in this panel; those made last in any panel before there are some. */
  private get view(): View {
    return this.chosen ?? parseView(this.services.context.workspaceState.get(VIEW_KEY)) ?? DEFAULT_VIEW;
  }

  private async choose(view: View): Promise<void> {
    this.chosen = view;
    await this.services.context.workspaceState.update(VIEW_KEY, view);
  }

  /** A page that is not loaded asks with `ready` once it is. */
  private send(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const report = this.report();
    if (report !== null) this.panel.title = `Crossover: ${report.title}`;
    if (!this.listening) return;
    if (typeof this.shown === 'string') this.post({ type: 'empty', message: this.shown });
    if (report === null || typeof this.shown === 'string') return;
    const folders = this.shown.map(({ folder }) => folder);
    this.post({ type: 'report', folders, report: withoutPoints(report), view: this.view });
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
        for (const folder of this.folders) if (folder === runs.active) await runs.cancel(folder);
        return;
      case 'exportHtml': {
        const report = this.report();
        const [folder] = this.folders;
        if (report !== null && folder !== undefined) await exportHtml(folder, report);
        return;
      }
      case 'chooseRuns': {
        const folders = await pickTogether(runs, this.folders);
        if (folders !== undefined) await this.show(folders);
        return;
      }
      case 'openLine':
        await this.openLine(message.file, message.line);
        return;
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        return;
      case 'save':
        await saveFile(message.file, this.folders[0] ?? null);
        return;
      default:
        never(message);
    }
  }

  /** Opens a line the shown report names; a page cannot have any other file opened. */
  private async openLine(file: string, line: number): Promise<void> {
    const report = this.report();
    const [folder] = this.folders;
    if (report === null || folder === undefined || !namesLine(report, file, line)) {
      this.services.log.warn(`Refused to open ${file}:${line}, which the report shown does not name.`);
      return;
    }
    const position = new vscode.Position(line - 1, 0);
    const place = path.resolve(rootOfRun(folder), file);
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
  const file = reportFile(folder, report.overlay !== undefined);
  await writeFile(file, renderHtmlReport(report));
  const open = vscode.l10n.t('Open in Browser');
  const answer = await vscode.window.showInformationMessage(
    vscode.l10n.t('The report is one file that works offline: {0}', file),
    open,
  );
  if (answer === open) await vscode.env.openExternal(vscode.Uri.file(file));
}
