/** Starts a run, or says why it cannot be started now. */
import * as vscode from 'vscode';
import type { Experiment } from '../core/experiments/experiment.js';
import type { Services } from './services.js';

/** One run at a time: two would disturb each other's times. */
export async function startExperiment(
  { runs, log }: Services,
  experiment: Experiment,
  root: string,
): Promise<void> {
  const { active } = runs;
  if (active !== null) {
    const stop = 'Cancel It and Start';
    const answer = await vscode.window.showWarningMessage(
      'A run is going on, and two at a time would disturb each other: wait for it, or cancel it.',
      stop,
    );
    if (answer !== stop) return;
    await runs.cancel(active);
    await runs.whenEnded(active);
  }
  log.info(`Starting: ${JSON.stringify(experiment)}`);
  const folder = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: 'Crossover: starting the engine' },
    () => runs.start(experiment, root),
  );
  log.info(`Run folder: ${folder}`);
}
