/** *Cancel Run*: stops the run that is going on; what was measured is kept. */
import * as vscode from 'vscode';
import type { Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import type { Services } from '../host/services.js';

export function registerCancelRun({ runs, log }: Services): Disposable {
  return vscode.commands.registerCommand(
    'crossover.cancelRun',
    guarded(log, async () => {
      if (runs.active === null) {
        await vscode.window.showInformationMessage(
          vscode.l10n.t('No run is going on in this window, so there is nothing to cancel.'),
        );
        return;
      }
      log.info(`Cancelling ${runs.active}`);
      await runs.cancel(runs.active);
    }),
  );
}
