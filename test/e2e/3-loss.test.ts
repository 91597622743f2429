/** Losses in the panel: axes, smoothing, seeds, zoom, and a million points that stay smooth. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, Locator } from 'playwright-core';
import type { LossCurve } from '../../extension/shared/report.js';
import { writeRunFolder } from '../fixtures/runFolder.js';
import type { Session, Theme } from './session.js';
import type { Suite } from './suite.js';

const CURVES = 10;
const STEPS = 100_000;
/** On a machine with nothing else to do it is 16; the end-to-end tests share theirs with others. */
const FRAME_LIMIT_MS = 120;
const OPEN_LIMIT_MS = 3000;

/** Ten seeds of two models with 100,000 steps each, and a spike that must not get lost. */
function writeLong(session: Session): void {
  writeRunFolder(session.workspace, (report) => {
    const curve = (model: string, seed: number): LossCurve => {
      const points = Array.from({ length: STEPS }, (_, index) => ({
        step: index + 1,
        tokens: (index + 1) * 2048,
        seconds: (index + 1) * 0.01 * (1 + seed / 20),
        loss:
          seed === 1 && index === 70_001
            ? 6
            : 2 +
              (model === 'GPT-2' ? 0 : 0.2) +
              3 * Math.exp(-index / 15_000) +
              0.15 * Math.sin(index * 12.9898 + seed * 7) +
              0.02 * seed,
      }));
      const heldOut = points
        .filter(({ step }) => step % 10_000 === 0)
        .map((point) => ({ ...point, loss: point.loss + 0.1, bitsPerByte: (point.loss + 0.1) / Math.LN2 }));
      return { model, seed, flopsPerToken: 6e7, bytesPerToken: 1, points, heldOut };
    };
    return {
      ...report,
      id: '20250201-120000-cccc',
      title: 'A long run',
      startedAt: Date.UTC(2025, 1, 1, 12),
      loss: Array.from({ length: CURVES }, (_, index) =>
        curve(index % 2 === 0 ? 'GPT-2' : 'RWKV-7', 1 + Math.floor(index / 2)),
      ),
    };
  });
}

interface Opened {
  readonly panel: Frame;
  /** Milliseconds from the key press to a chart that is drawn; to the panel's page, which VS Code makes; to its script. */
  readonly ms: number;
  readonly pageMs: number;
  readonly scriptMs: number;
}

/** Opens a run from the list. */
async function open(session: Session, title: string): Promise<Opened> {
  await session.command('Crossover: Open Results');
  const row = session.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: title });
  await session.quickInput('Open Results');
  await session.page.keyboard.type(title);
  await row.waitFor();
  const began = Date.now();
  await session.page.keyboard.press('Enter');
  const panel = await session.panel(title);
  await panel.waitForFunction(() =>
    [...document.querySelectorAll('canvas')].some((canvas) => {
      if (canvas.offsetParent === null || canvas.width === 0) return false;
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
      return data?.some((value) => value !== 0) === true;
    }),
  );
  const ms = Date.now() - began;
  const [page, script] = await panel.evaluate(() => {
    const loaded = performance.getEntriesByType('resource').find(({ name }) => name.endsWith('panel.js'));
    const { responseEnd = NaN } = (loaded as PerformanceResourceTiming | undefined) ?? {};
    return [performance.timeOrigin, performance.timeOrigin + responseEnd] as const;
  });
  return { panel, ms, pageMs: page - began, scriptMs: script - began };
}

const section = (panel: Frame): Locator => panel.locator('section[aria-label="Loss"]');

async function choose(panel: Frame, label: string, option: string): Promise<void> {
  const list = section(panel).locator(`vscode-dropdown[aria-label="${label}"]:visible`);
  await list.click();
  await list.locator('vscode-option', { hasText: option }).click();
}

async function picture(panel: Frame): Promise<string> {
  return section(panel)
    .locator('canvas')
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
}

const suite: Suite = (window) => {
  test('a finished run is opened soon', async () => {
    const session = window();
    writeLong(session);
    const opened: Opened[] = [];
    for (let i = 0; i < 3; i++) {
      await session.command('View: Close All Editors');
      await session.open('model.py');
      opened.push(await open(session, 'GPT-2 and RWKV-7'));
    }
    const times = opened.map(({ ms }) => ms);
    const parts = opened.map(({ pageMs, scriptMs }) => `${pageMs.toFixed()} and ${scriptMs.toFixed()}`);
    process.stdout.write(
      `# a finished run is drawn after ${times.join(', ')} ms; its page and script are there after ${parts.join(', ')} ms\n`,
    );
    assert.ok(Math.min(...times) < OPEN_LIMIT_MS, times.join(', '));
  });

  test('losses stand against FLOPs, in bits per byte, smoothed; each is another picture, and is said', async () => {
    const session = window();
    const panel = await session.panel(/^GPT-2 and RWKV-7$/);
    await panel.locator('vscode-panel-tab', { hasText: 'Loss' }).click();
    const seen = new Set([await picture(panel)]);
    const caption = section(panel).locator('figcaption');
    const changed = async (): Promise<void> => {
      await session.until('another picture', async () => {
        const now = await picture(panel);
        if (seen.has(now)) return null;
        seen.add(now);
        return true;
      });
    };
    await choose(panel, 'Against', 'Training FLOPs');
    await caption.locator('p', { hasText: 'as the compiler counts them' }).waitFor();
    await changed();
    await choose(panel, 'Loss in', 'Bits per byte');
    await changed();
    await choose(panel, 'Smoothing', 'Over 10 steps');
    await caption.locator('p', { hasText: 'moving average over 10 steps' }).waitFor();
    await changed();
    await session.screenshot('loss-smoothed');
    await choose(panel, 'Against', 'Training tokens');
    await choose(panel, 'Loss in', 'Nats per token');
    await choose(panel, 'Smoothing', 'None');
  });

  test('a chart is zoomed by button and key, moved by key and mouse, and reset', async () => {
    const session = window();
    const panel = await session.panel(/^GPT-2 and RWKV-7$/);
    const tool = (name: string): Locator => section(panel).locator('button', { hasText: name });
    const whole = await picture(panel);
    assert.equal(await tool('Reset Zoom').isDisabled(), true);
    await tool('Zoom In').click();
    await session.until('the zoom', async () => ((await picture(panel)) === whole ? null : true));
    const near = await picture(panel);
    const canvas = section(panel).locator('canvas');
    await tool('Zoom In').focus();
    await session.page.keyboard.press('Shift+Tab');
    assert.equal(await canvas.evaluate((it) => it === document.activeElement), true);
    assert.notEqual(await canvas.evaluate((it) => getComputedStyle(it).outlineStyle), 'none');
    await session.page.keyboard.press('ArrowRight');
    await session.until('the move', async () => ((await picture(panel)) === near ? null : true));
    const moved = await picture(panel);
    const box = await canvas.boundingBox();
    assert.ok(box !== null);
    await session.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await session.page.mouse.down();
    await session.page.mouse.move(box.x + box.width / 2 + 60, box.y + box.height / 2, { steps: 4 });
    await session.page.mouse.up();
    await session.until('the drag', async () => ((await picture(panel)) === moved ? null : true));
    await session.screenshot('loss-zoomed');
    await canvas.focus();
    await session.page.keyboard.press('0');
    await session.until('everything again', async () =>
      (await tool('Reset Zoom').isDisabled()) ? true : null,
    );
  });

  test('a million points: mean and band or every seed, and smooth while they are moved', async () => {
    const session = window();
    const { panel, ms } = await open(session, 'A long run');
    process.stdout.write(`# a run of ${CURVES * STEPS} losses is drawn after ${ms} ms\n`);
    await panel.locator('vscode-panel-tab', { hasText: 'Loss' }).click();
    await section(panel).locator('figcaption p', { hasText: 'mean of 5 seeds' }).waitFor();
    for (const [width, height] of [
      [1600, 950],
      [800, 950],
    ] as const) {
      await session.page.setViewportSize({ width, height });
      if (width === 800) await session.command('View: Toggle Primary Side Bar Visibility');
      for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
        await session.theme(theme);
        await session.screenshot(`loss-seeds-${theme}-${width}`);
      }
    }
    await session.page.setViewportSize({ width: 1500, height: 950 });
    await session.command('View: Toggle Primary Side Bar Visibility');
    await choose(panel, 'Smoothing', 'Over 1,000 steps');
    await session.screenshot('loss-seeds-smoothed');
    await choose(panel, 'Smoothing', 'None');
    await section(panel).locator('vscode-checkbox', { hasText: 'Every seed' }).click();
    await section(panel).locator('figcaption p', { hasText: 'mean of' }).waitFor({ state: 'detached' });
    await session.screenshot('loss-every-seed');
    const frames = await section(panel)
      .locator('canvas')
      .evaluate(async (canvas) => {
        const press = (key: string): void => {
          canvas.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
        };
        const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
        press('+');
        await frame();
        const times: { between: number; script: number }[] = [];
        let last = await frame();
        for (let i = 0; i < 60; i++) {
          press(i < 30 ? 'ArrowRight' : 'ArrowLeft');
          const now = await frame();
          times.push({ between: now - last, script: performance.now() - now });
          last = now;
        }
        press('0');
        return times;
      });
    const median = (values: number[]): number => values.sort((a, b) => a - b)[30] ?? Infinity;
    const middle = median(frames.map(({ between }) => between));
    const script = median(frames.map((frame) => frame.script));
    process.stdout.write(
      `# moving ${CURVES * STEPS} points: ${middle.toFixed(1)} ms between frames, of these ${script.toFixed(1)} ms of script\n`,
    );
    assert.ok(middle < FRAME_LIMIT_MS, `${middle} ms a frame`);
    await section(panel).locator('vscode-checkbox', { hasText: 'Every seed' }).click();
    await open(session, 'GPT-2 and RWKV-7');
  });
};

export default suite;
