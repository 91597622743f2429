/** The *Devices* tree: what this machine can measure on. The engine is asked when the tree is unfolded, not before. */
import { cpus, hostname } from 'node:os';
import * as vscode from 'vscode';
import type { CpuInfo } from '../core/engine/binding.js';
import { Store, type Disposable } from '../host/disposable.js';
import { sentence } from '../host/log.js';
import type { Services } from '../host/services.js';
import { bytes } from '../shared/units.js';

interface Detail {
  readonly label: string;
  readonly value: string;
  readonly icon: string;
}

type Node = 'cpu' | Detail;

export function registerDevicesTree({ engine, log, settings }: Services): Disposable {
  const store = new Store();
  const changed = store.add(new vscode.EventEmitter<void>());
  let known: Promise<readonly Detail[]> | null = null;
  const details = (): Promise<readonly Detail[]> => {
    known ??= engine.devices().then(detailsOf, (error: unknown) => {
      known = null;
      log.error(error instanceof Error ? error : String(error));
      return [{ label: sentence(error), value: '', icon: 'error' }];
    });
    return known;
  };
  store.add(
    vscode.window.createTreeView<Node>('crossover.devices', {
      treeDataProvider: {
        onDidChangeTreeData: changed.event,
        getChildren: async (node) =>
          node === undefined ? ['cpu' as const] : node === 'cpu' ? [...(await details())] : [],
        getTreeItem: (node) => (node === 'cpu' ? cpuItem(settings.value.device) : detailItem(node)),
      },
    }),
  );
  store.add(settings.onDidChange(() => changed.fire()));
  store.add(
    vscode.commands.registerCommand('crossover.devices.refresh', () => {
      known = null;
      changed.fire();
    }),
  );
  return store;
}

function cpuItem(chosen: string): vscode.TreeItem {
  const item = new vscode.TreeItem('cpu', vscode.TreeItemCollapsibleState.Collapsed);
  item.description = cpus()[0]?.model.trim() ?? '';
  item.iconPath = new vscode.ThemeIcon('chip');
  item.contextValue = 'device';
  item.tooltip =
    chosen === 'cpu'
      ? vscode.l10n.t('The processor of {0}; models are measured on it (setting Device).', hostname())
      : vscode.l10n.t('The processor of {0}.', hostname());
  return item;
}

function detailItem({ label, value, icon }: Detail): vscode.TreeItem {
  const item = new vscode.TreeItem(label);
  item.description = value;
  item.iconPath = new vscode.ThemeIcon(icon);
  item.contextValue = 'detail';
  item.tooltip = value === '' ? label : `${label}: ${value}`;
  return item;
}

function detailsOf({ threads, instructionSet, oneDnn, bf16, memoryBytes }: CpuInfo): Detail[] {
  const { t } = vscode.l10n;
  return [
    { label: t('Threads'), value: String(threads), icon: 'server-process' },
    { label: t('Kernels'), value: instructionSet, icon: 'circuit-board' },
    {
      label: t('Matrix products'),
      value: oneDnn === null ? t('own kernels (no oneDNN)') : `oneDNN ${oneDnn}`,
      icon: 'symbol-array',
    },
    { label: 'bf16', value: bf16 ? t('yes') : t('no, only fp32'), icon: 'symbol-numeric' },
    { label: t('Memory'), value: bytes(memoryBytes), icon: 'database' },
  ];
}
