/** A VS Code window under test, driven the same way whether it is desktop VS Code or code-server in Chromium. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Frame, Locator, Page } from 'playwright-core';

export type Theme = 'light' | 'dark' | 'highContrast';

const THEMES: Readonly<Record<Theme, string>> = {
  light: 'Default Light Modern',
  dark: 'Default Dark Modern',
  highContrast: 'Default High Contrast',
};

const WAIT_MS = 20_000;
/** For what a window that is still starting, on a machine that is measuring, takes longer to find. */
const PATIENT_MS = 60_000;

export interface Places {
  /** Folder that is open in the window. */
  readonly workspace: string;
  readonly userData: string;
  readonly screenshots: string;
  /** Where the extension says, at its end, what it has not disposed. */
  readonly leaks: string;
}

/** Whether a webview's document is in the open tab of its group: others are hidden a while before they are taken down. */
async function isSeen(frame: Frame): Promise<boolean> {
  try {
    const webview = await frame.parentFrame()?.frameElement();
    return (await webview?.isVisible()) === true;
  } catch {
    return false;
  }
}

export class Session {
  private settings: Record<string, unknown>;

  constructor(
    private readonly window: Page | null,
    private readonly places: Places,
    settings: Readonly<Record<string, unknown>>,
  ) {
    this.settings = { ...settings };
    window?.setDefaultTimeout(WAIT_MS);
  }

  /** The page of the window; before it is open only settings can be written. */
  get page(): Page {
    assert.ok(this.window !== null, 'the window is open');
    return this.window;
  }

  get workspace(): string {
    return this.places.workspace;
  }

  get userData(): string {
    return this.places.userData;
  }

  get leaks(): string {
    return this.places.leaks;
  }

  /** Waits until the workbench and its status bar are there. */
  async ready(): Promise<void> {
    await this.page.waitForSelector('.monaco-workbench .statusbar-item', { timeout: 120_000 });
  }

  /** Runs a command from the palette by its title; asks again while the window is still finding its extensions. */
  async command(title: string): Promise<void> {
    const row = this.page
      .locator('.quick-input-list .monaco-list-row.focused', { hasText: title.replace(/^.*?: /, '') })
      .first();
    await this.until(`the command ${title}`, () => this.quickOpen(`>${title}`, row), PATIENT_MS);
    await this.page.keyboard.press('Enter');
  }

  /** Types into the command palette and waits for a row; `null` when it does not come, or the palette was closed. */
  async quickOpen(text: string, row: Locator): Promise<true | null> {
    try {
      await this.page.keyboard.press('F1');
      const input = this.page.locator('.quick-input-widget:visible input[type="text"]').first();
      await input.fill(text, { timeout: 5000 });
      await row.waitFor({ timeout: 3000 });
      return true;
    } catch {
      await this.page.keyboard.press('Escape');
      return null;
    }
  }

  /** Opens a file of the workspace in the editor; asks again while the window has not found it yet. */
  async open(name: string): Promise<void> {
    const row = this.page.locator(`.quick-input-list .monaco-list-row[aria-label^="${name}"]`).first();
    await this.until(`the file ${name}`, () => this.quickOpen(name, row), PATIENT_MS);
    await row.click();
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).first().waitFor();
  }

  /** Puts the cursor on a line of the active editor. */
  async goToLine(line: number): Promise<void> {
    await this.command('Go to Line/Column...');
    const input = this.page.locator('.quick-input-widget:visible input[type="text"]').first();
    // What is typed before the palette has become this input lands in the file.
    await this.until('the input of a line', async () => {
      const text = await input.inputValue({ timeout: 1000 }).catch(() => '');
      return text.startsWith(':') ? true : null;
    });
    await input.fill(`:${line}`);
    await this.accept();
    await this.page.locator('.statusbar-item', { hasText: new RegExp(`Ln ${line}\\b`) }).waitFor();
  }

  /** The quick input that is open now, once its title says so. */
  async quickInput(title: string | RegExp): Promise<void> {
    await this.page.locator('.quick-input-titlebar', { hasText: title }).first().waitFor();
  }

  /** Accepts the quick input as it stands. */
  async accept(): Promise<void> {
    await this.page.keyboard.press('Enter');
  }

  /** Waits for a notification with this text. */
  async notification(text: string | RegExp): Promise<void> {
    await this.page.locator('.notification-toast', { hasText: text }).first().waitFor({ timeout: 60_000 });
  }

  /** Presses a button of the notification with this text. */
  async pressInNotification(text: string | RegExp, label: string): Promise<void> {
    const toast = this.page.locator('.notification-toast', { hasText: text }).first();
    await toast.locator('.monaco-button', { hasText: label }).first().click();
  }

  async clearNotifications(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
    await this.page.locator('.notification-toast').first().waitFor({ state: 'detached' });
  }

  /** The document inside the results panel that can be seen, once it shows the run of this title. */
  async panel(title: string | RegExp = /./): Promise<Frame> {
    return this.until(`the results panel of ${title}`, async () => {
      for (const frame of this.page.frames()) {
        if (!frame.url().includes('fake.html') || !(await isSeen(frame))) continue;
        const shown = await frame
          .locator('#root h1:visible', { hasText: title })
          .count()
          .catch(() => 0);
        if (shown > 0) return frame;
      }
      return null;
    });
  }

  /** Asks again and again until there is an answer other than `null`. */
  async until<T>(what: string, ask: () => Promise<T | null>, limitMs = WAIT_MS): Promise<T> {
    const end = Date.now() + limitMs;
    for (;;) {
      const answer = await ask();
      if (answer !== null) return answer;
      if (Date.now() > end) assert.fail(`${what} did not appear within ${limitMs / 1000} s`);
      await this.page.waitForTimeout(150);
    }
  }

  /** Texts beside the lines of the open editors. */
  async annotations(): Promise<string[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('.view-lines .view-line span')]
        .flatMap((span) => ['::before', '::after'].map((part) => getComputedStyle(span, part).content))
        .map((content) => content.replace(/^"|"$/g, '').replaceAll('\u00a0', ' ').trim())
        .filter((content) => /^\d.*(%|stale)$/.test(content)),
    );
  }

  /** Writes how the model of the workspace is built, so that it is not asked. */
  knowModel(): void {
    const models = { 'model.py::Tiny': 'Tiny(TinyConfig(block_size=T, vocab_size=V))' };
    writeFileSync(path.join(this.workspace, 'crossover.json'), JSON.stringify({ version: 1, models }));
  }

  /** Run folders below the workspace, newest last. */
  runFolders(): string[] {
    const parent = path.join(this.workspace, '.crossover', 'runs');
    try {
      return readdirSync(parent)
        .sort()
        .map((name) => path.join(parent, name));
    } catch {
      return [];
    }
  }

  /** `run.json` of the newest run. */
  newestRun(): { readonly folder: string; readonly status: string; readonly pid: number | null } {
    const folder = this.runFolders().at(-1);
    assert.ok(folder !== undefined, 'there is a run folder');
    const record = JSON.parse(readFileSync(path.join(folder, 'run.json'), 'utf8')) as {
      status: string;
      process: { pid: number } | null;
    };
    return { folder, status: record.status, pid: record.process?.pid ?? null };
  }

  /** Writes the settings of a window that is not open yet. */
  writeSettings(): void {
    const folder = path.join(this.places.userData, 'User');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'settings.json'), JSON.stringify(this.settings));
  }

  /** Changes user settings as a user does, in the settings file; the window picks them up when it is saved. */
  async configure(change: Readonly<Record<string, unknown>>): Promise<void> {
    this.settings = { ...this.settings, ...change };
    await this.open('model.py');
    await this.command('Preferences: Open User Settings (JSON)');
    await this.page.locator('.tab.active[data-resource-name="settings.json"]').first().waitFor();
    const editor = this.page.locator('.editor-instance .monaco-editor[data-uri$="settings.json"].focused');
    await editor.first().waitFor();
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.insertText(JSON.stringify(this.settings));
    // Brackets and quotes that the editor has closed by itself.
    await this.page.keyboard.press('Control+Shift+End');
    await this.page.keyboard.press('Delete');
    await this.page.keyboard.press('Control+S');
    await this.page.locator('.tab.dirty[data-resource-name="settings.json"]').waitFor({ state: 'detached' });
    await this.open('model.py');
  }

  async theme(theme: Theme): Promise<void> {
    await this.configure({ 'workbench.colorTheme': THEMES[theme] });
    const name = { light: 'vs', dark: 'vs-dark', highContrast: 'hc-black' }[theme];
    await this.page.locator(`.monaco-workbench.${name}`).waitFor();
    const frame = await this.panel();
    const kind = { light: 'vscode-light', dark: 'vscode-dark', highContrast: 'vscode-high-contrast' }[theme];
    await frame.locator(`body.${kind}`).waitFor();
    await this.page.waitForTimeout(300);
  }

  async screenshot(name: string): Promise<void> {
    mkdirSync(this.places.screenshots, { recursive: true });
    await this.page.waitForTimeout(600);
    await this.page.screenshot({ path: path.join(this.places.screenshots, `${name}.png`) });
  }

  async reload(): Promise<void> {
    await this.command('Developer: Reload Window');
    await this.page.waitForTimeout(1500);
    await this.ready();
  }
}
