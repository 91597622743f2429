/** Messages between host and panel are checked on arrival. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_VIEW,
  fileNameOf,
  MOST_CHARACTERS,
  parseHostMessage,
  parsePanelMessage,
  parsePanelState,
  parseView,
} from '../../extension/shared/protocol.js';
import { columnsOf, curveKey } from '../../extension/shared/lossColumns.js';
import { tabFor } from '../../extension/shared/tabFor.js';
import { LossSender } from '../../extension/host/lossSender.js';
import { LossStore } from '../../webview/lossStore.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');

test('messages of the host survive the way, and anything else is refused', () => {
  const message = { type: 'report', folders: ['/run', '/other'], report, view: DEFAULT_VIEW };
  assert.deepEqual(parseHostMessage(structuredClone(message)), message);
  assert.deepEqual(parseHostMessage({ type: 'empty', message: 'none' }), { type: 'empty', message: 'none' });
  for (const bad of [
    null,
    'report',
    { type: 'report', folders: ['/run'], report: { ...report, timing: null }, view: DEFAULT_VIEW },
    { type: 'report', folders: ['/run'], report: { ...report, status: 'paused' }, view: DEFAULT_VIEW },
    { type: 'report', folders: [], report, view: DEFAULT_VIEW },
    { type: 'report', folders: [7], report, view: DEFAULT_VIEW },
    { type: 'report', folders: ['/run'], report, view: { ...DEFAULT_VIEW, tab: 'memory' } },
    { type: 'reset' },
  ])
    assert.equal(parseHostMessage(bad), null);
});

test('losses come by equally long columns of numbers, from a row on', () => {
  const rows = columnsOf(report.loss[0]!.points);
  const message = { type: 'losses', id: report.id, curve: curveKey(report.loss[0]!), from: 0, rows };
  assert.deepEqual(parseHostMessage(structuredClone(message)), message);
  for (const bad of [
    { ...message, from: -1 },
    { ...message, from: 0.5 },
    { ...message, id: 3 },
    { ...message, rows: { ...rows, loss: rows.loss.subarray(1) } },
    { ...message, rows: { ...rows, loss: [...rows.loss] } },
    { ...message, rows: null },
  ])
    assert.equal(parseHostMessage(bad), null);
});

test('every loss is sent once while a run goes on, and all of them to a page that begins anew', () => {
  const sender = new LossSender();
  const store = new LossStore();
  store.keep(report);
  const send = (upTo: number): number => {
    const now = {
      ...report,
      loss: report.loss.map((one) => ({ ...one, points: one.points.slice(0, upTo) })),
    };
    let rows = 0;
    for (const message of sender.next(now)) {
      rows += message.rows.loss.length;
      store.add(message.curve, message.from, message.rows);
    }
    return rows;
  };
  assert.deepEqual([send(10), send(10), send(25), send(100)], [20, 0, 30, 150]);
  const whole = report.loss.map(({ points }) => columnsOf(points));
  const kept = (): object[] =>
    store.of(report).map(({ step, tokens, seconds, loss }) => ({ step, tokens, seconds, loss }));
  assert.deepEqual(kept(), whole);
  store.add(curveKey(report.loss[0]!), 50, whole[0]!);
  assert.deepEqual(kept(), whole, 'rows that come twice are passed over');
  sender.forget();
  assert.equal(send(100), 200);
  assert.deepEqual(kept(), whole);
  store.keep({ ...report, id: 'another' });
  assert.equal(store.of(report)[0]!.loss.length, 0);
});

test('messages of the panel are refused unless every field fits', () => {
  for (const good of [
    { type: 'ready' },
    { type: 'cancel' },
    { type: 'exportHtml' },
    { type: 'chooseRuns' },
    { type: 'view', view: DEFAULT_VIEW },
    { type: 'openLine', file: '/m.py', line: 3 },
    { type: 'copy', text: 'a,b' },
    { type: 'save', file: { kind: 'csv', name: 'GPT-2 and RWKV-7.csv', data: 'a,b' } },
    { type: 'save', file: { kind: 'png', name: 'x.png', data: 'iVBORw0KGgoAAA==' } },
  ])
    assert.deepEqual(parsePanelMessage(good), good);
  for (const bad of [
    { type: 'openLine', file: '/m.py', line: 0 },
    { type: 'openLine', file: '/m.py', line: 1.5 },
    { type: 'openLine', line: 1 },
    { type: 'view', view: { ...DEFAULT_VIEW, lossLogX: 'yes' } },
    { type: 'run', command: 'x' },
    { type: 'copy', text: 7 },
    { type: 'copy', text: 'x'.repeat(MOST_CHARACTERS + 1) },
    { type: 'save', file: { kind: 'csv', name: '../x.csv', data: '' } },
    { type: 'save', file: { kind: 'csv', name: '.csv', data: '' } },
    { type: 'save', file: { kind: 'csv', name: 'x.png', data: '' } },
    { type: 'save', file: { kind: 'png', name: 'x.png', data: 'R0lGODlh' } },
    { type: 'save', file: { kind: 'png', name: 'x.png', data: 'iVBORw0KGgo<script>' } },
    { type: 'save', file: { kind: 'sh', name: 'x.sh', data: '' } },
    undefined,
  ])
    assert.equal(parsePanelMessage(bad), null);
});

test('a view with a missing field is not a view', () => {
  for (const key of Object.keys(DEFAULT_VIEW))
    assert.equal(parseView({ ...DEFAULT_VIEW, [key]: undefined }), null, key);
});

test('what a panel keeps is its run folders; one of before kept one', () => {
  assert.deepEqual(parsePanelState({ folders: ['/a', '/b'], more: 1 }), { folders: ['/a', '/b'] });
  assert.deepEqual(parsePanelState({ folder: '/run' }), { folders: ['/run'] });
  for (const bad of [{ folder: 1 }, { folders: [] }, { folders: [1] }, null])
    assert.equal(parsePanelState(bad), null);
});

test('a run opens on the tab shown last, unless it has nothing there', () => {
  assert.equal(tabFor(report, 'eval'), 'eval');
  assert.equal(tabFor(report, 'environment'), 'environment');
  assert.equal(tabFor({ ...report, timing: [], decode: [], loss: [], evals: [] }, 'environment'), 'timing');
  assert.equal(tabFor({ ...report, evals: [] }, 'eval'), 'timing');
  assert.equal(tabFor({ ...report, timing: [], evals: [] }, 'eval'), 'decode');
  assert.equal(tabFor({ ...report, timing: [], decode: [], evals: [] }, 'eval'), 'loss');
  assert.equal(tabFor({ ...report, timing: [], decode: [], loss: [], evals: [] }, 'loss'), 'timing');
});

test('a file is named after what a person called it, whatever stands in it', () => {
  for (const [words, name] of [
    ['GPT-2 and RWKV-7', 'GPT-2 and RWKV-7.csv'],
    ['../../etc/passwd', 'etc-passwd.csv'],
    ['Net (<img src=x>.py), Loss', 'Net (-img src-x-.py), Loss.csv'],
    ['///', 'chart.csv'],
    ['x'.repeat(500), `${'x'.repeat(100)}.csv`],
  ] as const) {
    assert.equal(fileNameOf(words, 'csv'), name);
    assert.notEqual(parsePanelMessage({ type: 'save', file: { kind: 'csv', name, data: '' } }), null);
  }
});
