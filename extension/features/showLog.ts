/** *Show Log*: the output channel of the extension. */
import * as vscode from 'vscode';
import type { Disposable } from '../host/disposable.js';
import type { Services } from '../host/services.js';

export function registerShowLog({ log }: Services): Disposable {
  return vscode.commands.registerCommand('crossover.showLog', () => {
    log.show(true);
  });
}
