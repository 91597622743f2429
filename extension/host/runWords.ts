/** A run in words and icons, for lists. */
import * as vscode from 'vscode';
import type { RunEntry } from '../core/runs/index.js';
import { never } from '../shared/protocol.js';
import type { RunStatus } from '../shared/report.js';
import { duration } from '../shared/units.js';

/** The codicon of a status. */
export function statusIcon(status: RunStatus): string {
  switch (status) {
    case 'running':
      return 'sync~spin';
    case 'done':
      return 'check';
    case 'cancelled':
      return 'circle-slash';
    case 'failed':
      return 'error';
    case 'interrupted':
      return 'debug-disconnect';
    default:
      return never(status);
  }
}

export function statusWord(status: RunStatus): string {
  switch (status) {
    case 'running':
      return vscode.l10n.t('running');
    case 'done':
      return vscode.l10n.t('done');
    case 'cancelled':
      return vscode.l10n.t('cancelled');
    case 'failed':
      return vscode.l10n.t('failed');
    case 'interrupted':
      return vscode.l10n.t('interrupted');
    default:
      return never(status);
  }
}

/** The time of today, the day of other days, with the year of other years. */
export function whenText(startedAt: number, now = Date.now()): string {
  const date = new Date(startedAt);
  const isToday = date.toDateString() === new Date(now).toDateString();
  if (isToday) return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const isThisYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString([], {
    month: 'short',
    day: 'numeric',
    ...(isThisYear ? {} : { year: 'numeric' }),
  });
}

/** `14:05 · 45 s · cpu`; what ended badly says so. */
export function runDetails({ status, startedAt, finishedAt, device }: RunEntry): string {
  return [
    whenText(startedAt),
    ...(status === 'done' ? [] : [statusWord(status)]),
    ...(finishedAt === null ? [] : [duration((finishedAt - startedAt) / 1000)]),
    ...(device === null ? [] : [device]),
  ].join(' · ');
}
