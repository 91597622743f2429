/** *Benchmark This Model*: times the model of the open Python file over the contexts of the settings. */
import * as vscode from 'vscode';
import { askEntry } from '../host/askEntry.js';
import { guarded } from '../host/log.js';
import type { Disposable } from '../host/disposable.js';
import type { Services } from '../host/services.js';
import { startExperiment } from '../host/startExperiment.js';
import { requireTrust } from '../host/trust.js';
import { labelOf } from '../host/workspaceModels.js';

export function registerBenchmarkFile(services: Services, command: string, askAgain: boolean): Disposable {
  return vscode.commands.registerCommand(
    command,
    guarded(services.log, async (...args: unknown[]) => {
      if (!(await requireTrust())) return;
      const document = await documentOf(args[0]);
      if (document?.languageId !== 'python' || document.isUntitled) {
        throw new Error(
          'No model is open: open the Python file that defines it, then run Benchmark This Model again.',
        );
      }
      const expression = await askEntry(document, services.entries, askAgain);
      if (expression === undefined) return;
      if (document.isDirty && !(await document.save()))
        throw new Error(`${document.fileName} could not be saved: save it, then run the command again.`);
      const { contexts, tokensPerStep, samples, device, precision, vocabulary } = services.settings.value;
      const label = labelOf(expression, vscode.workspace.asRelativePath(document.uri));
      await startExperiment(
        services,
        {
          version: 1,
          title: label,
          models: [{ source: `${document.uri.fsPath}::${expression}`, label }],
          device,
          precision,
          vocab: vocabulary,
          timing: { contexts, tokensPerStep, samples },
        },
        services.runs.rootFor(document.uri),
      );
    }),
  );
}

async function documentOf(argument: unknown): Promise<vscode.TextDocument | undefined> {
  if (argument instanceof vscode.Uri) return vscode.workspace.openTextDocument(argument);
  return vscode.window.activeTextEditor?.document;
}
