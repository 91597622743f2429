/** A model that a command is to act on, whatever it was called from: a tree, a lens, a menu, the palette. */
import * as vscode from 'vscode';
import { findZooModel } from '../core/experiments/zoo.js';

export type ModelTarget =
  | { readonly kind: 'zoo'; readonly id: string }
  /** `className` left out: the likeliest model of the file. */
  | { readonly kind: 'file'; readonly uri: vscode.Uri; readonly className?: string };

/** Nodes of trees that stand for a model have one. */
export interface HasTarget {
  readonly target: ModelTarget;
}

/** What a command was called on: a node, a target, a file, or else the file of the active editor. */
export function targetOf(argument: unknown): ModelTarget | undefined {
  if (argument instanceof vscode.Uri) return ofFile(argument);
  if (typeof argument === 'object' && argument !== null) {
    if ('target' in argument) return (argument as HasTarget).target;
    if ('kind' in argument) return argument as ModelTarget;
  }
  const document = vscode.window.activeTextEditor?.document;
  return document?.languageId === 'python' && !document.isUntitled ? ofFile(document.uri) : undefined;
}

/** A file of the zoo stands for its zoo model. */
function ofFile(uri: vscode.Uri): ModelTarget {
  const id = zooIdOf(uri);
  return id === undefined ? { kind: 'file', uri } : { kind: 'zoo', id };
}

/** The zoo model whose file this is; `undefined` for every other file. */
export function zooIdOf(uri: vscode.Uri): string | undefined {
  const name = /([^/\\]+)\.py$/.exec(uri.fsPath)?.[1];
  return name !== undefined && findZooModel(name)?.file === uri.fsPath ? name : undefined;
}
