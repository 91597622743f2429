/** *Open Results*: picks one of the runs of this workspace and shows it beside the code. */
import * as vscode from 'vscode';
import type { Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import type { RunEntry } from '../host/runs.js';
import { statusIcon, statusWord } from '../host/runWords.js';
import type { Services } from '../host/services.js';

function itemOf(entry: RunEntry): vscode.QuickPickItem & { readonly entry: RunEntry } {
  return {
    label: `$(${statusIcon(entry.status)}) ${entry.title}`,
    description: `${statusWord(entry.status)}, ${new Date(entry.startedAt).toLocaleString()}`,
    ...(entry.problem === null ? {} : { detail: entry.problem }),
    entry,
  };
}

/** `show` opens the panel on a run folder. */
export function registerOpenResults(
  { runs, log }: Services,
  show: (folder: string) => Promise<void>,
): Disposable {
  return vscode.commands.registerCommand(
    'crossover.openResults',
    guarded(log, async () => {
      const entries = await runs.list();
      if (entries.length === 0)
        throw new Error(
          vscode.l10n.t(
            'There are no results yet: run Crossover: Compare Architectures... or Crossover: Benchmark This Model first.',
          ),
        );
      const [only] = entries;
      const picked =
        entries.length === 1 && only !== undefined
          ? itemOf(only)
          : await vscode.window.showQuickPick(entries.map(itemOf), {
              title: vscode.l10n.t('Open Results'),
              placeHolder: vscode.l10n.t('A run of this workspace, newest first'),
              matchOnDescription: true,
            });
      if (picked !== undefined) await show(picked.entry.folder);
    }),
  );
}
