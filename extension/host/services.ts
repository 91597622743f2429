/** What every feature is handed. */
import type * as vscode from 'vscode';
import type { Log } from './log.js';
import type { Runs } from './runs.js';
import type { SettingsSource } from './settings.js';
import type { EntryStore } from './workspaceModels.js';

export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: Log;
  readonly runs: Runs;
  readonly settings: SettingsSource;
  readonly entries: EntryStore;
}
