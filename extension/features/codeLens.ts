/** Above each nn.Module class and its forward: *Benchmark · Compare with... · 3.1 ms/step, 14%*. */
import * as vscode from 'vscode';
import { findZooModel } from '../core/experiments/zoo.js';
import type { FileCosts } from '../host/costTracker.js';
import { Store, type Disposable } from '../host/disposable.js';
import { moduleClasses } from '../host/guessEntry.js';
import { sumOf } from '../host/lineCosts.js';
import { zooIdOf, type ModelTarget } from '../host/modelTarget.js';
import type { PythonClass } from '../host/pythonClasses.js';
import type { Services } from '../host/services.js';
import { integer, milliseconds, percent } from '../shared/units.js';

interface Outline {
  readonly version: number;
  readonly classes: readonly PythonClass[];
}

export function registerCodeLens({ costs, settings }: Services): Disposable {
  const store = new Store();
  const changed = store.add(new vscode.EventEmitter<void>());
  const outlines = new WeakMap<vscode.TextDocument, Outline>();
  const classesOf = (document: vscode.TextDocument): readonly PythonClass[] => {
    const known = outlines.get(document);
    if (known?.version === document.version) return known.classes;
    const text = document.getText();
    const classes = text.includes('Module') ? moduleClasses(text) : [];
    outlines.set(document, { version: document.version, classes });
    return classes;
  };
  store.add(costs.onDidChange(() => changed.fire()));
  store.add(settings.onDidChange(() => changed.fire()));
  store.add(
    vscode.languages.registerCodeLensProvider(
      { language: 'python', scheme: 'file' },
      {
        onDidChangeCodeLenses: changed.event,
        provideCodeLenses: async (document) => {
          if (!settings.value.codeLens) return [];
          const classes = classesOf(document);
          if (classes.length === 0) return [];
          const zoo = zooIdOf(document.uri);
          const measured = await costs.costs(document);
          return classes.flatMap((item) => lensesOf(item, document.uri, zoo, measured));
        },
      },
    ),
  );
  return store;
}

function lensesOf(
  item: PythonClass,
  uri: vscode.Uri,
  zoo: string | undefined,
  costs: FileCosts | null,
): vscode.CodeLens[] {
  const isZooModel = zoo !== undefined && findZooModel(zoo)?.expression.startsWith(`${item.name}(`) === true;
  const target: ModelTarget = isZooModel
    ? { kind: 'zoo', id: zoo }
    : { kind: 'file', uri, className: item.name };
  const commands: vscode.Command[] = [
    { command: 'crossover.benchmark', title: vscode.l10n.t('Benchmark'), arguments: [target] },
    { command: 'crossover.compareWith', title: vscode.l10n.t('Compare with...'), arguments: [target] },
  ];
  const fork: vscode.Command[] = isZooModel
    ? [{ command: 'crossover.fork', title: vscode.l10n.t('Fork into Workspace'), arguments: [target] }]
    : [];
  const at = (line: number, all: readonly vscode.Command[]): vscode.CodeLens[] =>
    all.map((command) => new vscode.CodeLens(new vscode.Range(line - 1, 0, line - 1, 0), command));
  const { forward } = item;
  return [
    ...at(item.line, [...commands, ...fork, ...figureOf(item, item, costs)]),
    ...(forward === null ? [] : at(forward.line, [...commands, ...figureOf(forward, item, costs)])),
  ];
}

/** Time of the lines from `line` to `lastLine`; that of the model's class is the whole step. */
function figureOf(
  { line, lastLine }: { readonly line: number; readonly lastLine: number },
  owner: PythonClass,
  costs: FileCosts | null,
): vscode.Command[] {
  if (costs === null) return [];
  const within = costs.lines.filter((placed) => {
    const at = (placed.line ?? -1) + 1;
    return at >= line && at <= lastLine;
  });
  const sum = sumOf(within.map(({ annotation }) => annotation));
  if (sum === null) return [];
  const { report, folder } = costs.run;
  const step = line === owner.line ? wholeStep(costs, owner.name, sum.model, sum.context) : null;
  const stale = within.some((placed) => placed.stale) ? ` (${vscode.l10n.t('stale')})` : '';
  const title =
    step === null
      ? vscode.l10n.t('{0}/step, {1}', milliseconds(sum.ms), percent(sum.share))
      : vscode.l10n.t('{0}/step at {1} tokens', milliseconds(step), integer(sum.context));
  const tooltip =
    step === null
      ? vscode.l10n.t(
          'Forward and backward of these lines in a training step of {0} at context {1}; modules that they call count at their own lines. Opens {2}.',
          sum.model,
          integer(sum.context),
          report.title,
        )
      : vscode.l10n.t('A whole training step of {0}, measured in {1}.', sum.model, report.title);
  return [{ command: 'crossover.runs.open', title: `${title}${stale}`, tooltip, arguments: [{ folder }] }];
}

/** Milliseconds of a step of the model where this class is what the run has built; `null` for its parts. */
function wholeStep({ run }: FileCosts, name: string, label: string, context: number): number | null {
  const { models, timing } = run.report;
  const source = models.find((model) => model.label === label)?.source;
  const expression =
    source?.includes('::') === true
      ? source.slice(source.indexOf('::') + 2)
      : findZooModel(source?.split(':')[0] ?? '')?.expression;
  if (expression === undefined || !new RegExp(`^\\s*${name}\\s*\\(`).test(expression)) return null;
  return timing.find((point) => point.model === label && point.context === context)?.step.median ?? null;
}
