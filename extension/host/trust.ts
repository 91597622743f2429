/** Model code runs in trusted workspaces only. */
import * as vscode from 'vscode';

export const RESTRICTED =
  'Crossover runs model code in trusted workspaces only, and this window is in Restricted Mode: trust the workspace, then run the command again.';

/** True in a trusted workspace; otherwise says so, offers the way out, and answers false. */
export async function requireTrust(): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = vscode.l10n.t('Manage Workspace Trust');
  const answer = await vscode.window.showErrorMessage(RESTRICTED, manage);
  if (answer === manage) await vscode.commands.executeCommand('workbench.trust.manage');
  return vscode.workspace.isTrusted;
}
