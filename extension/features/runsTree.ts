/** The *Runs* tree: the history of the workspace, newest first and pinned ones before; open, annotate, re-run, delete. */
import * as vscode from 'vscode';
import { Store, type Disposable } from '../host/disposable.js';
import { escapeMarkdown } from '../host/annotationText.js';
import { guarded } from '../host/log.js';
import type { RunEntry } from '../host/runs.js';
import { pickTogether } from '../host/pickRuns.js';
import { runDetails, statusIcon, statusWord } from '../host/runWords.js';
import type { Services } from '../host/services.js';
import { startAgain } from '../host/startExperiment.js';
import { requireTrust } from '../host/trust.js';
import type { Report, RunStatus } from '../shared/report.js';
import { count, duration } from '../shared/units.js';

const VIEW = 'crossover.runs';
const COLOURS: Readonly<Record<RunStatus, string | null>> = {
  running: null,
  done: 'testing.iconPassed',
  cancelled: 'testing.iconSkipped',
  failed: 'testing.iconFailed',
  interrupted: 'testing.iconErrored',
};

export interface ShowRuns {
  readonly show: (folder: string) => Promise<void>;
  readonly showTogether: (folders: readonly string[]) => Promise<void>;
}

/** `show` opens the results panel on a run folder, `showTogether` on several. */
export function registerRunsTree(services: Services, { show, showTogether }: ShowRuns): Disposable {
  const store = new Store();
  const { runs, log } = services;
  const changed = store.add(new vscode.EventEmitter<void>());
  const tree = store.add(
    vscode.window.createTreeView<RunEntry>(VIEW, {
      showCollapseAll: false,
      canSelectMany: true,
      treeDataProvider: {
        onDidChangeTreeData: changed.event,
        getChildren: async (entry) => (entry === undefined ? pinnedFirst(await runs.list()) : []),
        getTreeItem: (entry) => new RunItem(entry),
        resolveTreeItem: async (item, entry) => {
          item.tooltip = await tooltipOf(entry, services);
          return item;
        },
      },
    }),
  );
  store.add(
    runs.onDidChangeList(() => {
      changed.fire();
    }),
  );

  const command = (name: string, work: (entry: RunEntry) => Promise<void>): void => {
    store.add(
      vscode.commands.registerCommand(
        `crossover.runs.${name}`,
        guarded(log, async (argument: unknown) => {
          const entry = entryOf(argument) ?? tree.selection[0];
          if (entry === undefined)
            throw new Error(vscode.l10n.t('No run is selected: select one in the Runs view of Crossover.'));
          await work(entry);
        }),
      ),
    );
  };
  store.add(
    vscode.commands.registerCommand(
      'crossover.runs.together',
      guarded(log, async (argument: unknown, arguments_: unknown) => {
        const handed = Array.isArray(arguments_) ? arguments_.map(entryOf) : [entryOf(argument)];
        const entries = handed.filter((entry) => entry !== undefined);
        const folders = (entries.length > 0 ? entries : tree.selection).map(({ folder }) => folder);
        const chosen = folders.length > 1 ? folders : await pickTogether(runs, folders);
        if (chosen !== undefined) await showTogether(chosen);
      }),
    ),
  );
  command('open', ({ folder }) => show(folder));
  command('pin', async ({ folder }) => runs.mark(folder, { pinned: true }));
  command('unpin', async ({ folder }) => runs.mark(folder, { pinned: false }));
  command('note', async ({ folder, title, mark }) => {
    const note = await vscode.window.showInputBox({
      title: vscode.l10n.t('Note on {0}', title),
      prompt: vscode.l10n.t('Shown in the list of runs; empty for none'),
      value: mark.note,
    });
    if (note !== undefined) runs.mark(folder, { note: note.trim() });
  });
  command('again', async ({ folder }) => {
    if (await requireTrust()) await startAgain(services, folder);
  });
  command('cancel', ({ folder }) => runs.cancel(folder));
  command('delete', async (entry) => {
    if (await confirmDelete(entry)) runs.delete(entry.folder);
  });
  store.add(
    vscode.commands.registerCommand('crossover.runs.refresh', () => {
      changed.fire();
    }),
  );
  return store;
}

class RunItem extends vscode.TreeItem {
  constructor(entry: RunEntry) {
    super(entry.title, vscode.TreeItemCollapsibleState.None);
    const { folder, status, mark, problem } = entry;
    const colour = COLOURS[status];
    const icon = mark.pinned && status !== 'running' ? 'pinned' : statusIcon(status);
    this.id = folder;
    this.description = [...(mark.note === '' ? [] : [mark.note]), runDetails(entry)].join(' · ');
    this.iconPath =
      colour === null
        ? new vscode.ThemeIcon(icon)
        : new vscode.ThemeIcon(icon, new vscode.ThemeColor(colour));
    this.contextValue = [
      status === 'running' ? 'running' : 'ended',
      mark.pinned ? 'pinned' : 'loose',
      problem === null ? 'readable' : 'damaged',
    ].join(';');
    this.accessibilityInformation = {
      label: `${entry.title}, ${statusWord(status)}, ${this.description}${mark.pinned ? `, ${vscode.l10n.t('pinned')}` : ''}`,
    };
    this.command = {
      command: 'crossover.runs.open',
      title: vscode.l10n.t('Open Results'),
      arguments: [entry],
    };
  }
}

function pinnedFirst(entries: readonly RunEntry[]): RunEntry[] {
  return [...entries].sort((a, b) => Number(b.mark.pinned) - Number(a.mark.pinned));
}

/** An entry that a menu or a test hands over. */
function entryOf(argument: unknown): RunEntry | undefined {
  return typeof argument === 'object' && argument !== null && 'folder' in argument
    ? (argument as RunEntry)
    : undefined;
}

async function tooltipOf(entry: RunEntry, { runs }: Services): Promise<vscode.MarkdownString> {
  const lines = [
    `**${escapeMarkdown(entry.title)}**`,
    `${statusWord(entry.status)}, ${new Date(entry.startedAt).toLocaleString()}`,
  ];
  if (entry.finishedAt !== null)
    lines.push(vscode.l10n.t('took {0}', duration((entry.finishedAt - entry.startedAt) / 1000)));
  if (entry.mark.note !== '') lines.push(`*${escapeMarkdown(entry.mark.note)}*`);
  if (entry.problem === null) lines.push(...reportLines(await runs.read(entry.folder)));
  else lines.push(escapeMarkdown(entry.problem));
  return new vscode.MarkdownString(lines.join('\n\n'));
}

function reportLines({ models, crossovers, environment, problems }: Report): string[] {
  return [
    ...models.map(({ label, parameters }) =>
      escapeMarkdown(vscode.l10n.t('{0}: {1} parameters', label, count(parameters))),
    ),
    ...crossovers.map(({ sentence }) => escapeMarkdown(sentence)),
    ...(environment === null
      ? []
      : [escapeMarkdown(vscode.l10n.t('{0}, {1} threads', environment.cpu, environment.threads))]),
    ...problems.map(({ message }) => `$(warning) ${escapeMarkdown(message)}`),
  ];
}

async function confirmDelete({ title, startedAt }: RunEntry): Promise<boolean> {
  const remove = vscode.l10n.t('Delete');
  const answer = await vscode.window.showWarningMessage(
    vscode.l10n.t('Delete the run "{0}" of {1}?', title, new Date(startedAt).toLocaleString()),
    { modal: true, detail: vscode.l10n.t('What it measured is removed from the disk.') },
    remove,
  );
  return answer === remove;
}
