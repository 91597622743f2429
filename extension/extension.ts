/** Activation: builds the shared parts and registers the features, nothing else. */
import * as vscode from 'vscode';
import { registerAnnotations } from './features/annotations.js';
import { registerBenchmarkButton } from './features/benchmarkButton.js';
import { registerBenchmarkFile } from './features/benchmarkFile.js';
import { registerCancelRun } from './features/cancelRun.js';
import { registerCompare } from './features/compare.js';
import { registerOpenResults } from './features/openResults.js';
import { registerResultsPanel } from './features/resultsPanel.js';
import { registerRunProgress } from './features/runProgress.js';
import { registerShowLog } from './features/showLog.js';
import { soon } from './host/disposable.js';
import { createLog, sentence } from './host/log.js';
import { Runs, type Engine } from './host/runs.js';
import type { Services } from './host/services.js';
import { SettingsSource } from './host/settings.js';
import { EntryStore } from './host/workspaceModels.js';

/** The engine's client is loaded when it is first needed: activation stays a few milliseconds. */
const engine: Engine = {
  start: async (experiment, root) => (await import('./core/engine/client.js')).startRun(experiment, root),
  cancel: async (folder) => (await import('./core/engine/client.js')).cancelRun(folder),
};

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const own = <T extends vscode.Disposable>(part: T): T => {
    context.subscriptions.push(part);
    return part;
  };
  const log = own(createLog());
  const services: Services = {
    context,
    log,
    runs: own(new Runs(engine, context.globalStorageUri.fsPath)),
    settings: own(new SettingsSource()),
    entries: new EntryStore(context.workspaceState),
  };
  const panel = own(registerResultsPanel(services));
  own(registerCompare(services));
  own(registerBenchmarkFile(services, 'crossover.benchmark', false));
  own(registerBenchmarkFile(services, 'crossover.benchmarkAs', true));
  own(registerBenchmarkButton());
  own(registerOpenResults(services, panel.show));
  own(registerCancelRun(services));
  own(registerShowLog(services));
  own(registerRunProgress(services, panel.show));
  own(registerAnnotations(services.runs, services.settings, context.workspaceState, log));
  own(
    soon(() => {
      services.runs.findRunning().catch((error: unknown) => {
        log.warn(sentence(error));
      });
    }),
  );
  log.info(`Activated in ${(performance.now() - began).toFixed(1)} ms.`);
}
