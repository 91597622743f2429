/** *Compare Architectures...*: models of the zoo and of the workspace, contexts, device, and what to measure. */
import { availableParallelism, cpus } from 'node:os';
import * as vscode from 'vscode';
import { defaultComparison } from '../core/experiments/defaults.js';
import type { Experiment } from '../core/experiments/experiment.js';
import { askEntry } from '../host/askEntry.js';
import { guarded } from '../host/log.js';
import { Store, type Disposable } from '../host/disposable.js';
import { guessEntries } from '../host/guessEntry.js';
import { targetOf, type ModelTarget } from '../host/modelTarget.js';
import type { Services } from '../host/services.js';
import { startExperiment } from '../host/startExperiment.js';
import { requireTrust } from '../host/trust.js';
import { modelOf, specOf, workspaceModels, zooModels, type FoundModel } from '../host/workspaceModels.js';
import { integer } from '../shared/units.js';

const CONTEXTS = [128, 256, 512, 1024, 2048, 4096];
/** The comparison everybody asks about first. */
const PICKED_FIRST = ['gpt2', 'rwkv7'];

type Part = 'timing' | 'decode' | 'loss' | 'evals';

interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

export function registerCompare(services: Services): Disposable {
  const store = new Store();
  const command = (name: string, first: (argument: unknown) => ModelTarget | undefined): void => {
    store.add(
      vscode.commands.registerCommand(
        name,
        guarded(services.log, (argument: unknown) => compare(services, first(argument))),
      ),
    );
  };
  command('crossover.compare', () => undefined);
  command('crossover.compareWith', targetOf);
  return store;
}

/** Asks what to compare, `first` with something else where it is given, and starts the run. */
async function compare(services: Services, first: ModelTarget | undefined): Promise<void> {
  if (!(await requireTrust())) return;
  const models = await pickModels(services, first);
  if (models === undefined) return;
  const contexts = await pickContexts(services.settings.value.contexts);
  if (contexts === undefined) return;
  const device = await pickDevice(services.settings.value.device);
  if (device === undefined) return;
  const parts = await pickParts();
  if (parts === undefined) return;
  const file = models.find((model) => model.file !== null)?.file ?? undefined;
  await startExperiment(
    services,
    experimentOf(services, models, contexts, device, parts),
    services.runs.rootFor(file),
  );
}

async function pickModels(
  services: Services,
  first: ModelTarget | undefined,
): Promise<FoundModel[] | undefined> {
  const zoo = zooModels();
  const found = await workspaceModels(services);
  if (first?.kind === 'file') await includeTarget(found, first, services);
  const isFirst = (model: FoundModel): boolean =>
    first?.kind === 'zoo'
      ? model.source === first.id
      : first !== undefined &&
        model.file?.toString() === first.uri.toString() &&
        (first.className === undefined || first.className === model.className);
  const choice = (model: FoundModel): Choice<FoundModel> => ({
    label: model.label,
    description: model.description,
    picked: first === undefined ? PICKED_FIRST.includes(model.source) : isFirst(model),
    value: model,
  });
  const separator = (label: string): Choice<FoundModel>[] => [
    {
      label,
      kind: vscode.QuickPickItemKind.Separator,
      value: { label, description: '', source: '', file: null },
    },
  ];
  const picked = await vscode.window.showQuickPick(
    [
      ...(found.length > 0 ? [...separator(vscode.l10n.t('This workspace')), ...found.map(choice)] : []),
      ...separator(vscode.l10n.t('Zoo')),
      ...zoo.map(choice),
    ],
    {
      title: vscode.l10n.t('Compare Architectures (1/4): models'),
      placeHolder: vscode.l10n.t('Two or more models'),
      canPickMany: true,
      matchOnDescription: true,
      ignoreFocusOut: true,
    },
  );
  if (picked === undefined) return undefined;
  if (picked.length === 0)
    throw new Error(vscode.l10n.t('No model was picked: tick at least one, then press Enter.'));
  const confirmed: FoundModel[] = [];
  for (const { value } of picked) {
    const model = value.file === null ? value : await confirm(value, value.file, services);
    if (model === undefined) return undefined;
    confirmed.push(model);
  }
  return confirmed;
}

/** Adds the class that was asked about where another of its file is the likeliest model. */
async function includeTarget(
  found: FoundModel[],
  { uri, className }: Extract<ModelTarget, { kind: 'file' }>,
  { entries }: Services,
): Promise<void> {
  const ofFile = found.find(({ file }) => file?.toString() === uri.toString());
  if (ofFile !== undefined && (className === undefined || ofFile.className === className)) return;
  const document = await vscode.workspace.openTextDocument(uri);
  const guesses = guessEntries(document.getText());
  const guess = guesses.find((item) => className === undefined || item.className === className);
  if (guess === undefined) return;
  const expression = (await entries.get(uri, guess.className)) ?? guess.expression;
  found.unshift(modelOf(uri, guess.className, expression));
}

/** A model of the workspace, with its build expression asked for once. */
async function confirm(
  model: FoundModel,
  file: vscode.Uri,
  services: Services,
): Promise<FoundModel | undefined> {
  const { className } = model;
  const document = await vscode.workspace.openTextDocument(file);
  const expression = await askEntry(document, services, className === undefined ? {} : { className });
  return expression === undefined ? undefined : modelOf(file, className ?? '', expression);
}

async function pickContexts(preferred: readonly number[]): Promise<number[] | undefined> {
  const all = [...new Set([...CONTEXTS, ...preferred])].sort((a, b) => a - b);
  const picked = await vscode.window.showQuickPick(
    all.map((value): Choice<number> => ({
      label: integer(value),
      description: vscode.l10n.t('tokens'),
      picked: preferred.includes(value),
      value,
    })),
    {
      title: vscode.l10n.t('Compare Architectures (2/4): context lengths'),
      placeHolder: vscode.l10n.t('Context lengths, in tokens; tokens per step stay the same'),
      canPickMany: true,
      ignoreFocusOut: true,
    },
  );
  if (picked?.length === 0)
    throw new Error(vscode.l10n.t('No context length was picked: tick at least one, then press Enter.'));
  return picked?.map(({ value }) => value);
}

async function pickDevice(preferred: string): Promise<string | undefined> {
  const [processor] = cpus();
  const threads = availableParallelism();
  const picked = await vscode.window.showQuickPick<Choice<string>>(
    [
      {
        label: 'cpu',
        description: vscode.l10n.t('{0}, {1} threads', processor?.model.trim() ?? 'processor', threads),
        ...(preferred === 'cpu' ? { detail: vscode.l10n.t('The device of the settings') } : {}),
        value: 'cpu',
      },
    ],
    {
      title: vscode.l10n.t('Compare Architectures (3/4): device'),
      placeHolder: vscode.l10n.t('Where to measure'),
      ignoreFocusOut: true,
    },
  );
  return picked?.value;
}

async function pickParts(): Promise<Set<Part> | undefined> {
  const choices: Choice<Part>[] = [
    {
      label: vscode.l10n.t('Timing'),
      description: vscode.l10n.t('training-step time against context'),
      picked: true,
      value: 'timing',
    },
    {
      label: vscode.l10n.t('Decode'),
      description: vscode.l10n.t('tokens per second and state after prompts'),
      picked: true,
      value: 'decode',
    },
    {
      label: vscode.l10n.t('Loss'),
      description: vscode.l10n.t('training on text of this machine'),
      picked: true,
      value: 'loss',
    },
    {
      label: vscode.l10n.t('Evals'),
      description: vscode.l10n.t('held-out text and associative recall'),
      picked: true,
      value: 'evals',
    },
  ];
  const picked = await vscode.window.showQuickPick(choices, {
    title: vscode.l10n.t('Compare Architectures (4/4): what to measure'),
    placeHolder: vscode.l10n.t('Timing, decode, loss and evals'),
    canPickMany: true,
    ignoreFocusOut: true,
  });
  if (picked?.length === 0)
    throw new Error(vscode.l10n.t('Nothing to measure was picked: tick at least one, then press Enter.'));
  return picked === undefined ? undefined : new Set(picked.map(({ value }) => value));
}

function experimentOf(
  { settings }: Services,
  models: readonly FoundModel[],
  contexts: readonly number[],
  device: string,
  parts: ReadonlySet<Part>,
): Experiment {
  const { tokensPerStep, samples, precision, vocabulary } = settings.value;
  const preset = defaultComparison();
  const learns = parts.has('loss') || parts.has('evals');
  return {
    version: 1,
    title: models.map(({ label }) => label).join(' and '),
    models: models.map(specOf),
    device,
    precision,
    vocab: learns ? Math.max(preset.vocab, vocabulary) : vocabulary,
    ...(parts.has('timing') ? { timing: { contexts, tokensPerStep, samples } } : {}),
    ...(parts.has('decode') ? { decode: { contexts, samples } } : {}),
    ...(learns && preset.data !== undefined ? { data: preset.data } : {}),
    ...(learns && preset.train !== undefined ? { train: preset.train } : {}),
    ...(parts.has('evals') && preset.evals !== undefined ? { evals: preset.evals } : {}),
  };
}
