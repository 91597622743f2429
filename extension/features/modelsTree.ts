/** The *Models* tree: nn.Module classes of the workspace, found by reading its files, and the zoo. Nothing is run. */
import path from 'node:path';
import * as vscode from 'vscode';
import { zooIds, zooModel, type ZooModel } from '../core/experiments/zoo.js';
import { Store, type Disposable } from '../host/disposable.js';
import type { HasTarget, ModelTarget } from '../host/modelTarget.js';
import type { ModuleFile } from '../host/moduleScan.js';
import type { Services } from '../host/services.js';
import { count } from '../shared/units.js';

const VIEW = 'crossover.models';
/** A file is unfolded at first where there are no more files, and no more classes in it, than this. */
const FEW_FILES = 5;
const FEW_CLASSES = 12;

type Node =
  | { readonly kind: 'group'; readonly group: 'workspace' | 'zoo'; readonly files: readonly ModuleFile[] }
  | { readonly kind: 'file'; readonly file: ModuleFile; readonly unfolded: boolean }
  | ModelNode;

/** A class or a zoo model. */
interface ModelNode extends HasTarget {
  readonly kind: 'model';
  readonly uri: vscode.Uri;
  /** From 1. */
  readonly line: number;
  readonly item: vscode.TreeItem;
}

export function registerModelsTree({ scan }: Services): Disposable {
  const store = new Store();
  const changed = store.add(new vscode.EventEmitter<void>());
  const roots = async (): Promise<Node[]> => {
    const files = await scan.scan();
    const zoo: Node = { kind: 'group', group: 'zoo', files: [] };
    return files.length === 0 ? [zoo] : [{ kind: 'group', group: 'workspace', files }, zoo];
  };
  store.add(
    vscode.window.createTreeView<Node>(VIEW, {
      showCollapseAll: true,
      treeDataProvider: {
        onDidChangeTreeData: changed.event,
        getChildren: (node) => (node === undefined ? roots() : childrenOf(node)),
        getTreeItem: itemOf,
      },
    }),
  );
  store.add(scan.onDidChange(() => changed.fire()));
  store.add(vscode.commands.registerCommand('crossover.models.refresh', () => changed.fire()));
  store.add(
    vscode.commands.registerCommand('crossover.models.open', async (node: ModelNode) => {
      const position = new vscode.Position(node.line - 1, 0);
      await vscode.window.showTextDocument(node.uri, {
        preview: true,
        selection: new vscode.Range(position, position),
      });
    }),
  );
  return store;
}

function childrenOf(node: Node): Node[] {
  switch (node.kind) {
    case 'group':
      return node.group === 'zoo'
        ? zooIds().map((id) => zooNode(zooModel(id)))
        : node.files.map((file) => ({
            kind: 'file',
            file,
            unfolded: node.files.length <= FEW_FILES && file.guesses.length <= FEW_CLASSES,
          }));
    case 'file':
      return classNodes(node.file);
    case 'model':
      return [];
  }
}

function itemOf(node: Node): vscode.TreeItem {
  if (node.kind === 'model') return node.item;
  if (node.kind === 'group') {
    const item = new vscode.TreeItem(
      node.group === 'zoo' ? vscode.l10n.t('Zoo') : vscode.l10n.t('Workspace'),
      vscode.TreeItemCollapsibleState.Expanded,
    );
    item.id = node.group;
    item.contextValue = 'group';
    return item;
  }
  const { uri, guesses } = node.file;
  const item = new vscode.TreeItem(
    uri,
    node.unfolded ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed,
  );
  item.id = uri.toString();
  item.iconPath = vscode.ThemeIcon.File;
  const folder = path.dirname(vscode.workspace.asRelativePath(uri));
  item.description = folder === '.' ? '' : folder;
  item.contextValue = 'file';
  item.tooltip = vscode.l10n.t('{0}: {1} modules', vscode.workspace.asRelativePath(uri), guesses.length);
  return item;
}

/** The classes of a file in its order; the one it most likely defines as the model is marked. */
function classNodes({ uri, guesses, lines }: ModuleFile): ModelNode[] {
  const likeliest = guesses[0]?.className;
  return [...guesses]
    .sort((a, b) => (lines.get(a.className) ?? 0) - (lines.get(b.className) ?? 0))
    .map(({ className, expression }) => {
      const item = new vscode.TreeItem(className);
      item.id = `${uri.toString()}::${className}`;
      item.iconPath = new vscode.ThemeIcon(className === likeliest ? 'symbol-class' : 'symbol-misc');
      item.contextValue = 'class';
      const tooltip = new vscode.MarkdownString(vscode.l10n.t('Built, unless you say otherwise, by'));
      item.tooltip = tooltip.appendCodeblock(expression, 'python');
      const target: ModelTarget = { kind: 'file', uri, className };
      return withOpening({ kind: 'model', target, uri, line: lines.get(className) ?? 1, item });
    });
}

function zooNode({ id, label, file, reference, parameters }: ZooModel): ModelNode {
  const item = new vscode.TreeItem(label);
  item.id = `zoo:${id}`;
  item.description = vscode.l10n.t('{0} parameters', count(parameters));
  item.iconPath = new vscode.ThemeIcon('package');
  item.contextValue = 'zoo';
  item.tooltip = reference;
  return withOpening({
    kind: 'model',
    target: { kind: 'zoo', id },
    uri: vscode.Uri.file(file),
    line: 1,
    item,
  });
}

function withOpening(node: ModelNode): ModelNode {
  node.item.command = { command: 'crossover.models.open', title: vscode.l10n.t('Open'), arguments: [node] };
  return node;
}
