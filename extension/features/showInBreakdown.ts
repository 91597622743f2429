/** *Show Line in Breakdown*: from a line that has a figure to its bar in the results panel. */
import * as vscode from 'vscode';
import type { Disposable } from '../host/disposable.js';
import { guarded } from '../host/log.js';
import type { Services } from '../host/services.js';
import type { View } from '../shared/protocol.js';

/** `showAt` opens the panel on a run folder, with some of its choices changed. */
export function registerShowInBreakdown(
  { costs, log }: Services,
  showAt: (folder: string, change: Partial<View>) => Promise<void>,
): Disposable {
  return vscode.commands.registerCommand(
    'crossover.showInBreakdown',
    guarded(log, async (target: unknown) => {
      const place = placeOf(target) ?? cursor();
      const document = place === null ? undefined : await vscode.workspace.openTextDocument(place.uri);
      const measured = document === undefined ? null : await costs.costs(document);
      const found = measured?.lines.find(({ line }) => line === place?.line);
      if (measured === null || found === undefined)
        throw new Error(
          vscode.l10n.t(
            'No run has measured this line: benchmark its model, or put the cursor on a line that has a figure.',
          ),
        );
      const { model, context, cost } = found.annotation.shown;
      await showAt(measured.run.folder, {
        tab: 'breakdown',
        breakdownModel: model,
        breakdownContext: context,
        breakdownFile: cost.file,
        breakdownLine: cost.line,
      });
    }),
  );
}

interface Place {
  readonly uri: vscode.Uri;
  /** From 0. */
  readonly line: number;
}

/** What a link of a hover names. */
function placeOf(target: unknown): Place | null {
  if (typeof target !== 'object' || target === null || !('uri' in target) || !('line' in target)) return null;
  const { uri, line } = target;
  return typeof uri === 'string' && typeof line === 'number' && Number.isSafeInteger(line)
    ? { uri: vscode.Uri.parse(uri, true), line }
    : null;
}

function cursor(): Place | null {
  const editor = vscode.window.activeTextEditor;
  return editor === undefined ? null : { uri: editor.document.uri, line: editor.selection.active.line };
}
