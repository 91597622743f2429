/** Asking for runs of the workspace. */
import * as vscode from 'vscode';
import type { RunEntry, Runs } from './runs.js';
import { statusIcon, statusWord } from './runWords.js';

export interface RunItem extends vscode.QuickPickItem {
  readonly entry: RunEntry;
}

export function runItem(entry: RunEntry): RunItem {
  return {
    label: `$(${statusIcon(entry.status)}) ${entry.title}`,
    description: `${statusWord(entry.status)}, ${new Date(entry.startedAt).toLocaleString()}`,
    ...(entry.problem === null ? {} : { detail: entry.problem }),
    entry,
  };
}

/** Run folders to show together, those of `shown` ticked and first; `undefined` when it was not said. */
export async function pickTogether(
  runs: Runs,
  shown: readonly string[],
): Promise<readonly string[] | undefined> {
  const readable = (await runs.list()).filter(({ problem }) => problem === null);
  const isShown = ({ folder }: RunEntry): boolean => shown.includes(folder);
  const entries = [...readable.filter(isShown), ...readable.filter((entry) => !isShown(entry))];
  const picked = await vscode.window.showQuickPick(
    entries.map((entry) => ({ ...runItem(entry), picked: isShown(entry) })),
    {
      title: vscode.l10n.t('Show Runs Together'),
      placeHolder: vscode.l10n.t('Tick the runs whose curves are shown in one panel'),
      canPickMany: true,
      matchOnDescription: true,
    },
  );
  if (picked === undefined || picked.length === 0) return undefined;
  return picked.map(({ entry }) => entry.folder);
}
