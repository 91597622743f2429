/** Models one can pick: those that ship (the zoo), and those found in the Python files of the workspace. */
import * as vscode from 'vscode';
import type { ModelSpec } from '../core/experiments/experiment.js';
import { zooIds, zooModel } from '../core/experiments/zoo.js';
import type { Services } from './services.js';

export interface FoundModel {
  readonly label: string;
  readonly description: string;
  /** Zoo id, or `FILE.py::EXPRESSION`. */
  readonly source: string;
  /** The Python file of a workspace model; `null` for the zoo. */
  readonly file: vscode.Uri | null;
  /** The class of a workspace model. */
  readonly className?: string;
}

/** Models that ship, at the sizes that match each other in parameters. */
export function zooModels(): FoundModel[] {
  return zooIds().map((id) => {
    const { label, reference } = zooModel(id);
    return { label, description: reference, source: id, file: null };
  });
}

/** The likeliest model of every Python file in the workspace that defines an `nn.Module`. */
export async function workspaceModels({
  scan,
  entries,
}: Pick<Services, 'scan' | 'entries'>): Promise<FoundModel[]> {
  const models = await Promise.all(
    (await scan.scan()).map(async ({ uri, guesses: [guess] }) => {
      if (guess === undefined) return [];
      const expression = (await entries.get(uri, guess.className)) ?? guess.expression;
      return [modelOf(uri, guess.className, expression)];
    }),
  );
  return models.flat().sort((a, b) => a.label.localeCompare(b.label));
}

/** A model of the workspace, built by an expression. */
export function modelOf(file: vscode.Uri, className: string, expression: string): FoundModel {
  return {
    label: labelOf(expression, vscode.workspace.asRelativePath(file)),
    description: expression,
    source: `${file.fsPath}::${expression}`,
    file,
    className,
  };
}

/** A name for tables: the class and the file. */
export function labelOf(expression: string, place: string): string {
  const name = /^\s*([\w.]+)\s*\(/.exec(expression)?.[1];
  return name === undefined ? place : `${name} (${place})`;
}

export function specOf({ label, source, file }: FoundModel): ModelSpec {
  return file === null ? { source } : { source, label };
}
