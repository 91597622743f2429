/** Activation: builds the shared parts and registers the features, nothing else. */
import { appendFileSync } from 'node:fs';
import * as vscode from 'vscode';
import { registerAnnotations } from './features/annotations.js';
import { registerBenchmark } from './features/benchmark.js';
import { registerBenchmarkButton } from './features/benchmarkButton.js';
import { registerCancelRun } from './features/cancelRun.js';
import { registerCodeLens } from './features/codeLens.js';
import { registerCompare } from './features/compare.js';
import { registerDevicesTree } from './features/devicesTree.js';
import { registerExperiments } from './features/experiments.js';
import { registerForkModel } from './features/forkModel.js';
import { registerLanguageModelTools } from './features/languageModelTools.js';
import { registerModelsTree } from './features/modelsTree.js';
import { registerOpenResults } from './features/openResults.js';
import { registerResultsPanel } from './features/resultsPanel.js';
import { registerRunProgress } from './features/runProgress.js';
import { registerRunsTree } from './features/runsTree.js';
import { registerShowInBreakdown } from './features/showInBreakdown.js';
import { registerShowLog } from './features/showLog.js';
import { registerTasks } from './features/tasks.js';
import { soon, Store, undisposed } from './host/disposable.js';
import { CostTracker } from './host/costTracker.js';
import { lazyEngine } from './host/engine.js';
import { EntryStore } from './host/entries.js';
import { createLog, sentence } from './host/log.js';
import { ModuleScan } from './host/moduleScan.js';
import { Runs } from './host/runs.js';
import type { Services } from './host/services.js';
import { SettingsSource } from './host/settings.js';

/** All parts; those made last are disposed first. */
let parts: Store | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const store = new Store();
  parts = store;
  const own = <T extends vscode.Disposable>(part: T): T => store.add(part);
  const log = own(createLog());
  const engine = lazyEngine();
  const runs = own(new Runs(engine, context.globalStorageUri.fsPath));
  const services: Services = {
    context,
    log,
    engine,
    scan: own(new ModuleScan()),
    runs,
    costs: own(new CostTracker(runs, context.workspaceState, log)),
    settings: own(new SettingsSource()),
    entries: new EntryStore(context.workspaceState),
  };
  const panel = own(registerResultsPanel(services));
  own(registerCodeLens(services));
  own(registerCompare(services));
  own(registerBenchmark(services));
  own(registerBenchmarkButton());
  own(registerOpenResults(services, panel.show));
  own(registerCancelRun(services));
  own(registerExperiments(services));
  own(registerForkModel(services));
  own(registerLanguageModelTools(services));
  own(registerModelsTree(services));
  own(registerRunsTree(services, panel));
  own(registerDevicesTree(services));
  own(registerShowInBreakdown(services, panel.showAt));
  own(registerShowLog(services));
  own(registerTasks());
  own(registerRunProgress(services, panel.show));
  own(registerAnnotations(services));
  own(
    soon(() => {
      runs.watch();
      runs.findRunning().catch((error: unknown) => {
        log.warn(sentence(error));
      });
    }),
  );
  log.info(`Activated in ${(performance.now() - began).toFixed(1)} ms.`);
}

/** Disposes every part; tests are told in a file what was forgotten. */
export function deactivate(): void {
  parts?.dispose();
  parts = undefined;
  const file = process.env['CROSSOVER_LEAKS'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(undisposed())}\n`);
}
