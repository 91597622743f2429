/** `*.crossover.json`: experiments that can be committed. Lenses and menus run them; runs are saved as them. */
import path from 'node:path';
import * as vscode from 'vscode';
import { resolveModels } from '../core/experiments/modelSource.js';
import { validateExperiment } from '../core/experiments/validate.js';
import type { Experiment } from '../core/experiments/experiment.js';
import { WORKSPACE_FILE } from '../core/experiments/workspaceFile.js';
import { readRecord } from '../core/runs/index.js';
import { Store, type Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import type { ModelTarget } from '../host/modelTarget.js';
import type { Services } from '../host/services.js';
import { startExperiment } from '../host/startExperiment.js';
import { requireTrust } from '../host/trust.js';

const SUFFIX = '.crossover.json';

export function registerExperiments(services: Services): Disposable {
  const store = new Store();
  const { log } = services;
  store.add(
    vscode.commands.registerCommand(
      'crossover.runExperiment',
      guarded(log, async (argument: unknown) => {
        if (!(await requireTrust())) return;
        const document = await documentOf(argument);
        if (document === undefined)
          throw new Error(
            vscode.l10n.t(
              'No experiment is open: open a {0} file, or save one from the Runs view, then run the command again.',
              SUFFIX,
            ),
          );
        if (document.isDirty) await document.save();
        const root = services.runs.rootFor(document.uri);
        await startExperiment(services, experimentOf(document, root), root);
      }),
    ),
  );
  store.add(
    vscode.commands.registerCommand(
      'crossover.runs.save',
      guarded(log, async (entry: { readonly folder: string }) => saveExperiment(entry.folder)),
    ),
  );
  const provide = (pattern: string, lenses: (document: vscode.TextDocument) => vscode.CodeLens[]): void => {
    store.add(
      vscode.languages.registerCodeLensProvider(
        { scheme: 'file', pattern },
        { provideCodeLenses: (document) => lenses(document) },
      ),
    );
  };
  provide(`**/*${SUFFIX}`, ({ uri }) => [
    new vscode.CodeLens(new vscode.Range(0, 0, 0, 0), {
      command: 'crossover.runExperiment',
      title: vscode.l10n.t('Run Experiment'),
      arguments: [uri],
    }),
  ]);
  provide(`**/${WORKSPACE_FILE}`, modelLenses);
  return store;
}

async function documentOf(argument: unknown): Promise<vscode.TextDocument | undefined> {
  if (argument instanceof vscode.Uri) return vscode.workspace.openTextDocument(argument);
  const document = vscode.window.activeTextEditor?.document;
  return document?.uri.path.endsWith(SUFFIX) === true ? document : undefined;
}

/** The experiment of a document; its models are looked for before anything starts. Throws a sentence that names the file. */
function experimentOf(document: vscode.TextDocument, root: string): Experiment {
  const place = vscode.workspace.asRelativePath(document.uri);
  try {
    const experiment = validateExperiment(JSON.parse(document.getText()));
    resolveModels(experiment.models, root);
    return experiment.title === undefined
      ? { ...experiment, title: path.basename(document.uri.path, SUFFIX) }
      : experiment;
  } catch (error) {
    throw new Error(
      vscode.l10n.t(
        '{0} is not an experiment that can be run: {1}',
        place,
        error instanceof Error ? error.message : String(error),
      ),
    );
  }
}

/** Above each model of crossover.json: *Benchmark*. */
function modelLenses(document: vscode.TextDocument): vscode.CodeLens[] {
  const folder = path.dirname(document.uri.fsPath);
  return Array.from({ length: document.lineCount }, (_, line) => line).flatMap((line) => {
    const [, file, className] = /^\s*"(.+\.py)::(\w+)"\s*:/.exec(document.lineAt(line).text) ?? [];
    if (file === undefined || className === undefined) return [];
    const target: ModelTarget = { kind: 'file', uri: vscode.Uri.file(path.join(folder, file)), className };
    const range = new vscode.Range(line, 0, line, 0);
    return [
      { command: 'crossover.benchmark', title: vscode.l10n.t('Benchmark'), arguments: [target] },
      { command: 'crossover.compareWith', title: vscode.l10n.t('Compare with...'), arguments: [target] },
    ].map((command) => new vscode.CodeLens(range, command));
  });
}

async function saveExperiment(folder: string): Promise<void> {
  const { experiment, title, root } = readRecord(folder);
  const name = title.replaceAll(/[^\w-]+/g, '-').replaceAll(/^-|-$/g, '') || 'experiment';
  const target = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save the Experiment of {0}', title),
    defaultUri: vscode.Uri.file(path.join(root, `${name}${SUFFIX}`)),
    filters: { [vscode.l10n.t('Crossover experiments')]: ['json'] },
  });
  if (target === undefined) return;
  const models = experiment.models.map((model) => ({ ...model, source: relativeSource(model.source, root) }));
  const document = { ...experiment, title, models };
  await vscode.workspace.fs.writeFile(target, Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
  await vscode.window.showTextDocument(target);
}

/** `FILE.py::EXPRESSION` with the file as seen from the root, where it lies below it. */
function relativeSource(source: string, root: string): string {
  const cut = source.indexOf('::');
  if (cut < 0) return source;
  const relative = path.relative(root, path.resolve(root, source.slice(0, cut)));
  return relative.startsWith('..') || path.isAbsolute(relative)
    ? source
    : `${relative.replaceAll('\\', '/')}${source.slice(cut)}`;
}
