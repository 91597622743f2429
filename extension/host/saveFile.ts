/** Saves what a page made where a person says. */
import { Buffer } from 'node:buffer';
import * as vscode from 'vscode';
import type { SavedFile } from '../shared/protocol.js';
import { rootOfRun } from './runs.js';

const FILTERS = { png: 'PNG', csv: 'CSV' } as const;

/** Asks where, with a name in the workspace of the run as proposal; nothing is written when it is not said. */
export async function saveFile({ kind, name, data }: SavedFile, runFolder: string | null): Promise<void> {
  const folder = runFolder === null ? undefined : vscode.Uri.file(rootOfRun(runFolder));
  const target = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save Chart'),
    filters: { [FILTERS[kind]]: [kind] },
    ...(folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, name) }),
  });
  if (target === undefined) return;
  await vscode.workspace.fs.writeFile(target, Buffer.from(data, kind === 'png' ? 'base64' : 'utf8'));
}
