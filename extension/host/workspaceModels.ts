/** Models one can pick: those that ship (the zoo), and those found in the Python files of the workspace. */
import * as vscode from 'vscode';
import type { ModelSpec } from '../core/experiments/experiment.js';
import { zooIds, zooModel } from '../core/experiments/zoo.js';
import { guessEntries } from './guessEntry.js';

export interface FoundModel {
  readonly label: string;
  readonly description: string;
  /** Zoo id, or `FILE.py::EXPRESSION`. */
  readonly source: string;
  /** The Python file of a workspace model; `null` for the zoo. */
  readonly file: vscode.Uri | null;
}

const SKIPPED = '**/{node_modules,site-packages,.venv,venv,env,.git,.crossover,dist,build,__pycache__}/**';
const MOST_FILES = 400;

/** Models that ship, at the sizes that match each other in parameters. */
export function zooModels(): FoundModel[] {
  return zooIds().map((id) => {
    const { label, reference } = zooModel(id);
    return { label, description: reference, source: id, file: null };
  });
}

/** The likeliest model of every Python file in the workspace that defines an `nn.Module`. */
export async function workspaceModels(entries: EntryStore): Promise<FoundModel[]> {
  const files = await vscode.workspace.findFiles('**/*.py', SKIPPED, MOST_FILES);
  const models = await Promise.all(
    files.map(async (file) => {
      const text = Buffer.from(await vscode.workspace.fs.readFile(file)).toString('utf8');
      const [guess] = text.includes('Module') ? guessEntries(text) : [];
      if (guess === undefined) return [];
      const expression = entries.get(file) ?? guess.expression;
      const place = vscode.workspace.asRelativePath(file);
      return [
        {
          label: labelOf(expression, place),
          description: expression,
          source: `${file.fsPath}::${expression}`,
          file,
        },
      ];
    }),
  );
  return models.flat().sort((a, b) => a.label.localeCompare(b.label));
}

/** A name for tables: the class and the file. */
export function labelOf(expression: string, place: string): string {
  const name = /^\s*([\w.]+)\s*\(/.exec(expression)?.[1];
  return name === undefined ? place : `${name} (${place})`;
}

export function specOf({ label, source, file }: FoundModel): ModelSpec {
  return file === null ? { source } : { source, label };
}

/** Build expressions the user has confirmed, one per file, kept with the workspace. */
export class EntryStore {
  constructor(private readonly memento: vscode.Memento) {}

  get(file: vscode.Uri): string | undefined {
    return this.memento.get<string>(`entry:${file.toString()}`);
  }

  async set(file: vscode.Uri, expression: string): Promise<void> {
    await this.memento.update(`entry:${file.toString()}`, expression);
  }
}
