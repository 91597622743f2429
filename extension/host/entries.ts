/**
 * How models are built: the expressions a user has confirmed, one per class, in `crossover.json` at the root of the
 * workspace folder. Files outside every folder keep theirs with the window.
 */
import path from 'node:path';
import * as vscode from 'vscode';
import {
  modelKey,
  parseWorkspaceFile,
  WORKSPACE_FILE,
  withModel,
} from '../core/experiments/workspaceFile.js';

const NOTHING = 'FileNotFound';

export class EntryStore {
  constructor(private readonly memento: vscode.Memento) {}

  /** The expression of a class of a file; rejects where crossover.json cannot be understood. */
  async get(file: vscode.Uri, className: string): Promise<string | undefined> {
    const place = placeOf(file);
    if (place === null) return this.memento.get<string>(`entry:${file.toString()}::${className}`);
    const text = await read(place.document);
    if (text === null) return undefined;
    const models = parseWorkspaceFile(text, place.document.fsPath);
    return models[modelKey(place.relative, className)];
  }

  async set(file: vscode.Uri, className: string, expression: string): Promise<void> {
    const place = placeOf(file);
    if (place === null) {
      await this.memento.update(`entry:${file.toString()}::${className}`, expression);
      return;
    }
    const text = await read(place.document);
    const changed = withModel(text, modelKey(place.relative, className), expression, place.document.fsPath);
    await vscode.workspace.fs.writeFile(place.document, Buffer.from(changed));
  }
}

function placeOf(file: vscode.Uri): { readonly document: vscode.Uri; readonly relative: string } | null {
  const folder = vscode.workspace.getWorkspaceFolder(file);
  if (folder === undefined) return null;
  return {
    document: vscode.Uri.joinPath(folder.uri, WORKSPACE_FILE),
    relative: path.relative(folder.uri.fsPath, file.fsPath),
  };
}

/** The text on disk; `null` where there is none. */
async function read(document: vscode.Uri): Promise<string | null> {
  try {
    return Buffer.from(await vscode.workspace.fs.readFile(document)).toString('utf8');
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === NOTHING) return null;
    throw error;
  }
}
