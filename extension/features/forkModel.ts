/** *Fork into Workspace...*: copies a zoo model, with the files it imports, to be edited and compared with the original. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import { findZooModel, zooIds, zooModel, type ZooModel } from '../core/experiments/zoo.js';
import { zooSources } from '../core/experiments/zooSources.js';
import type { Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import { targetOf } from '../host/modelTarget.js';
import type { Services } from '../host/services.js';

export function registerForkModel(services: Services): Disposable {
  return vscode.commands.registerCommand(
    'crossover.fork',
    guarded(services.log, async (argument: unknown) => {
      const target = targetOf(argument);
      const zoo = target?.kind === 'zoo' ? findZooModel(target.id) : await pick();
      if (zoo !== null) await fork(zoo, services);
    }),
  );
}

async function pick(): Promise<ZooModel | null> {
  const picked = await vscode.window.showQuickPick(
    zooIds().map((id) => ({ ...zooModel(id), description: id })),
    { title: vscode.l10n.t('Fork into Workspace'), placeHolder: vscode.l10n.t('A model of the zoo') },
  );
  return picked ?? null;
}

async function fork({ id, file, expression }: ZooModel, { entries }: Services): Promise<void> {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  if (folder === undefined)
    throw new Error(
      vscode.l10n.t('No folder is open to copy the model into: open one, then fork the model again.'),
    );
  const target = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Fork {0} into the Workspace', id),
    defaultUri: vscode.Uri.joinPath(folder.uri, freeName(folder.uri.fsPath, id)),
    filters: { Python: ['py'] },
    saveLabel: vscode.l10n.t('Fork'),
  });
  if (target === undefined) return;
  const [main = file, ...imported] = zooSources(file);
  const copies = imported.map((source) => ({
    source,
    copy: path.join(path.dirname(target.fsPath), path.basename(source)),
  }));
  const other = copies.find(({ source, copy }) => existsSync(copy) && !isSame(source, copy));
  if (other !== undefined)
    throw new Error(
      vscode.l10n.t(
        '{0} is there already and is not the file that {1} imports: fork the model into another folder.',
        other.copy,
        id,
      ),
    );
  await vscode.workspace.fs.copy(vscode.Uri.file(main), target, { overwrite: true });
  for (const { source, copy } of copies)
    if (!existsSync(copy)) await vscode.workspace.fs.copy(vscode.Uri.file(source), vscode.Uri.file(copy));
  const className = /^\w+/.exec(expression)?.[0];
  if (className !== undefined) await entries.set(target, className, expression);
  await vscode.window.showTextDocument(target);
}

/** `gpt2.py`, or `gpt2_2.py` and so on where that is taken. */
function freeName(folder: string, id: string): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? `${id}.py` : `${id}_${count}.py`;
    if (!existsSync(path.join(folder, name))) return name;
  }
}

function isSame(a: string, b: string): boolean {
  return readFileSync(a).equals(readFileSync(b));
}
