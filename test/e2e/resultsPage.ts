/** What suites do with the results panel. */
import type { Frame } from 'playwright-core';
import type { Session } from './session.js';

export const TABS = ['Timing', 'Decode', 'Loss', 'Eval'] as const;

/** The panel with the comparison that every window starts with. */
export async function openSample(session: Session): Promise<Frame> {
  await session.command('Crossover: Open Results');
  const rows = session.page.locator('.quick-input-list .monaco-list-row', { hasText: 'GPT-2 and RWKV-7' });
  if (session.runFolders().length > 1) await rows.first().click();
  return session.panel(/^GPT-2 and RWKV-7$/);
}

/** Changes to a tab of the panel. */
export async function select(
  panel: Frame,
  tab: (typeof TABS)[number] | 'Breakdown' | 'Environment',
): Promise<void> {
  await panel.locator('vscode-panel-tab', { hasText: tab }).click();
  await panel.locator(`section[aria-label="${tab}"]`).waitFor();
}

/** Chooses in a dropdown of a tab. */
export async function choose(panel: Frame, tab: string, label: string, choice: string): Promise<void> {
  const list = panel.locator(`section[aria-label="${tab}"] vscode-dropdown[aria-label="${label}"]`);
  await list.click();
  await list.locator('vscode-option', { hasText: choice }).first().click();
}
