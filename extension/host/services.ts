/** What every feature is handed. */
import type * as vscode from 'vscode';
import type { CostTracker } from './costTracker.js';
import type { Engine } from './engine.js';
import type { EntryStore } from './entries.js';
import type { Log } from './log.js';
import type { ModuleScan } from './moduleScan.js';
import type { Runs } from './runs.js';
import type { SettingsSource } from './settings.js';

export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: Log;
  readonly engine: Engine;
  readonly runs: Runs;
  readonly scan: ModuleScan;
  readonly settings: SettingsSource;
  readonly entries: EntryStore;
  readonly costs: CostTracker;
}
