/** Shows *Benchmark This Model* above Python files that define a model, and only there. */
import * as vscode from 'vscode';
import { soon, Store, type Disposable } from '../host/disposable.js';
import { guessEntries } from '../host/guessEntry.js';

const KEY = 'crossover.fileHasModel';
/** Longer files are not model files. */
const MOST_LINES = 20_000;

export function registerBenchmarkButton(): Disposable {
  const store = new Store();
  let shown = false;
  const refresh = (editor: vscode.TextEditor | undefined): void => {
    const document = editor?.document;
    const has =
      document?.languageId === 'python' &&
      document.lineCount < MOST_LINES &&
      guessEntries(document.getText()).length > 0;
    if (has === shown) return;
    shown = has;
    void vscode.commands.executeCommand('setContext', KEY, has);
  };
  store.add(vscode.window.onDidChangeActiveTextEditor(refresh));
  store.add(
    vscode.workspace.onDidSaveTextDocument((document) => {
      if (document === vscode.window.activeTextEditor?.document) refresh(vscode.window.activeTextEditor);
    }),
  );
  store.add(soon(() => refresh(vscode.window.activeTextEditor)));
  return store;
}
