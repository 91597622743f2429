/** Starts a run, or says why it cannot be started now. */
import * as vscode from 'vscode';
import type { Experiment } from '../core/experiments/experiment.js';
import { readRecord, RunBusyError } from '../core/runs/index.js';
import type { Services } from './services.js';

/** One run at a time in a folder, also when another window or a terminal has started the other. */
export async function startExperiment(
  services: Services,
  experiment: Experiment,
  root: string,
): Promise<void> {
  const { runs, log } = services;
  const { active } = runs;
  if (active !== null) {
    const stop = vscode.l10n.t('Cancel It and Start');
    const answer = await vscode.window.showWarningMessage(
      vscode.l10n.t(
        'A run is going on, and two at a time would disturb each other: wait for it, or cancel it.',
      ),
      stop,
    );
    if (answer !== stop) return;
    await runs.cancel(active);
    await runs.whenEnded(active);
  }
  log.info(`Starting: ${JSON.stringify(experiment)}`);
  try {
    const folder = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Crossover: starting the engine') },
      () => runs.start(experiment, root),
    );
    log.info(`Run folder: ${folder}`);
  } catch (error) {
    if (!(error instanceof RunBusyError)) throw error;
    log.warn(error.message);
    await runs.findRunning();
    const show = vscode.l10n.t('Show It');
    const answer = await vscode.window.showWarningMessage(error.message, show);
    if (answer === show)
      await vscode.commands.executeCommand('crossover.runs.open', { folder: error.holder });
  }
}

/** Starts the experiment of an earlier run anew. */
export async function startAgain(services: Services, folder: string): Promise<void> {
  const { experiment, root } = readRecord(folder);
  await startExperiment(services, experiment, root);
}
