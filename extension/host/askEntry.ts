/** Asks for the expression that builds a model: once per file, with a guess from the file's text. */
import * as vscode from 'vscode';
import { guessEntries } from './guessEntry.js';
import type { EntryStore } from './workspaceModels.js';

/** The confirmed expression; `undefined` when the user escapes. `again` asks even when one is stored. */
export async function askEntry(
  document: vscode.TextDocument,
  entries: EntryStore,
  again = false,
): Promise<string | undefined> {
  const stored = entries.get(document.uri);
  if (stored !== undefined && !again) return stored;
  const value = stored ?? guessEntries(document.getText())[0]?.expression ?? '';
  const expression = await vscode.window.showInputBox({
    title: `How is the model of ${vscode.workspace.asRelativePath(document.uri)} built?`,
    prompt: 'A Python expression with T (context length), V (vocabulary size) and B (batch) defined',
    placeHolder: 'GPT(GPTConfig(block_size=T, vocab_size=V))',
    value,
    ignoreFocusOut: true,
    validateInput: (text) => {
      if (text.trim() === '')
        return 'Type an expression that builds the model, e.g. GPT(GPTConfig(block_size=T, vocab_size=V)).';
      return text.includes('...') ? 'Replace each ... with a value.' : undefined;
    },
  });
  if (expression === undefined) return undefined;
  await entries.set(document.uri, expression.trim());
  return expression.trim();
}
