/** *Benchmark This Model*: times a model of a file or of the zoo over the contexts of the settings. */
import * as vscode from 'vscode';
import type { ModelSpec } from '../core/experiments/experiment.js';
import { findZooModel } from '../core/experiments/zoo.js';
import { askEntry } from '../host/askEntry.js';
import { Store, type Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import { targetOf, type ModelTarget } from '../host/modelTarget.js';
import type { Services } from '../host/services.js';
import { startExperiment } from '../host/startExperiment.js';
import { requireTrust } from '../host/trust.js';
import { modelOf, specOf } from '../host/workspaceModels.js';

export function registerBenchmark(services: Services): Disposable {
  const store = new Store();
  const command = (name: string, again: boolean): void => {
    store.add(
      vscode.commands.registerCommand(
        name,
        guarded(services.log, (argument: unknown) => benchmark(services, targetOf(argument), again)),
      ),
    );
  };
  command('crossover.benchmark', false);
  command('crossover.benchmarkAs', true);
  return store;
}

/** `again` asks how the model is built even where that is known. */
async function benchmark(services: Services, target: ModelTarget | undefined, again: boolean): Promise<void> {
  if (!(await requireTrust())) return;
  if (target === undefined)
    throw new Error(
      vscode.l10n.t(
        'No model is open: open the Python file that defines it, then run Benchmark This Model again.',
      ),
    );
  const model = target.kind === 'zoo' ? zooSpec(target.id) : await fileSpec(services, target, again);
  if (model === undefined) return;
  const { contexts, tokensPerStep, samples, device, precision, vocabulary } = services.settings.value;
  await startExperiment(
    services,
    {
      version: 1,
      title: model.label,
      models: [model],
      device,
      precision,
      vocab: vocabulary,
      timing: { contexts, tokensPerStep, samples },
    },
    services.runs.rootFor(target.kind === 'zoo' ? undefined : target.uri),
  );
}

function zooSpec(id: string): ModelSpec & { readonly label: string } {
  return { source: id, label: findZooModel(id)?.label ?? id };
}

async function fileSpec(
  services: Services,
  { uri, className }: Extract<ModelTarget, { kind: 'file' }>,
  again: boolean,
): Promise<(ModelSpec & { readonly label: string }) | undefined> {
  const document = await vscode.workspace.openTextDocument(uri);
  const options = className === undefined ? { again } : { className, again };
  const expression = await askEntry(document, services, options);
  if (expression === undefined) return undefined;
  if (document.isDirty && !(await document.save()))
    throw new Error(
      vscode.l10n.t('{0} could not be saved: save it, then run the command again.', document.fileName),
    );
  const model = modelOf(uri, className ?? '', expression);
  return { ...specOf(model), label: model.label };
}
