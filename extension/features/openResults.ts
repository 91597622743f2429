/** *Open Results*: picks one of the runs of this workspace and shows it beside the code. */
import * as vscode from 'vscode';
import type { Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import { runItem } from '../host/pickRuns.js';
import type { Services } from '../host/services.js';

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
          ? runItem(only)
          : await vscode.window.showQuickPick(entries.map(runItem), {
              title: vscode.l10n.t('Open Results'),
              placeHolder: vscode.l10n.t('A run of this workspace, newest first'),
              matchOnDescription: true,
            });
      if (picked !== undefined) await show(picked.entry.folder);
    }),
  );
}
