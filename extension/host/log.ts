/** The log output channel, and how errors reach people: one sentence in the window, everything in the log. */
import * as vscode from 'vscode';

export type Log = vscode.LogOutputChannel;

export function createLog(): Log {
  return vscode.window.createOutputChannel('Crossover', { log: true });
}

/** What an error says in one sentence. */
export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Shows an error with *Show Log* and further actions; the stack goes to the log. */
export async function showError(
  log: Log,
  error: unknown,
  actions: Readonly<Record<string, () => unknown>> = {},
): Promise<void> {
  log.error(error instanceof Error ? error : String(error));
  const showLog = vscode.l10n.t('Show Log');
  const answer = await vscode.window.showErrorMessage(sentence(error), ...Object.keys(actions), showLog);
  if (answer === showLog) log.show(true);
  else if (answer !== undefined) await actions[answer]?.();
}

/** A command handler whose failure is shown instead of thrown. */
export function guarded<A extends unknown[]>(
  log: Log,
  work: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await work(...args);
    } catch (error) {
      await showError(log, error);
    }
  };
}
