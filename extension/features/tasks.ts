/** Tasks of the type `crossover`: an experiment run in a terminal, with its tables, by the same engine. */
import path from 'node:path';
import * as vscode from 'vscode';
import { distPath } from '../core/paths.js';
import type { Disposable } from '../host/disposable.js';

const TYPE = 'crossover';
const MATCHER = '$crossover';
const FOUND = '**/*.crossover.json';
const SKIPPED = '**/{node_modules,.crossover,.git}/**';

export function registerTasks(): Disposable {
  return vscode.tasks.registerTaskProvider(TYPE, {
    provideTasks: async () => {
      const files = await vscode.workspace.findFiles(FOUND, SKIPPED, 100);
      return files.flatMap((file) => {
        const folder = vscode.workspace.getWorkspaceFolder(file);
        if (folder === undefined) return [];
        const experiment = path.relative(folder.uri.fsPath, file.fsPath).replaceAll('\\', '/');
        return [taskOf({ type: TYPE, experiment }, folder, experiment)];
      });
    },
    resolveTask: (task) => {
      const experiment: unknown = task.definition['experiment'];
      const folder = folderOf(task.scope);
      return typeof experiment === 'string' && folder !== undefined
        ? taskOf(task.definition, folder, experiment)
        : undefined;
    },
  });
}

function folderOf(scope: vscode.Task['scope']): vscode.WorkspaceFolder | undefined {
  return typeof scope === 'object' ? scope : vscode.workspace.workspaceFolders?.[0];
}

/** The definition must be the one that tasks.json holds: the editor compares it. */
function taskOf(
  definition: vscode.TaskDefinition,
  folder: vscode.WorkspaceFolder,
  experiment: string,
): vscode.Task {
  const execution = new vscode.ProcessExecution(
    process.execPath,
    [distPath('cli.js'), 'compare', experiment],
    { cwd: folder.uri.fsPath, env: { ELECTRON_RUN_AS_NODE: '1' } },
  );
  const task = new vscode.Task(definition, folder, experiment, TYPE, execution, [MATCHER]);
  task.detail = vscode.l10n.t('Runs the experiment and prints its tables');
  return task;
}
