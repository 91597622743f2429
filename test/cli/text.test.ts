import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../extension/core/experiments/usageError.js';
import { ProgressMeter } from '../../extension/core/experiments/progressMeter.js';
import { Arguments, type Command, helpOf } from '../../extension/cli/command.js';
import type { Terminal } from '../../extension/cli/terminal.js';
import { plot } from '../../extension/cli/text/plot.js';
import { table } from '../../extension/cli/text/table.js';
import { bytesText, significant } from '../../extension/cli/text/units.js';
import { ProgressLine } from '../../extension/cli/text/progressLine.js';
import { reportText } from '../../extension/cli/text/reportText.js';
import type { Progress } from '../../extension/shared/report.js';
import { sampleReport } from '../fixtures/report.js';

const terminal: Terminal = {
  out: () => undefined,
  err: () => undefined,
  width: 80,
  colors: false,
  live: false,
};

test('numbers keep three digits', () => {
  assert.equal(significant(1234.5), '1,235');
  assert.equal(significant(12.345), '12.3');
  assert.equal(significant(0.012345), '0.0123');
  assert.equal(significant(NaN), 'n/a');
  assert.equal(bytesText(1_572_864), '1.50 MiB');
});

test('a table is aligned and fits the terminal', () => {
  const text = table(
    terminal,
    ['Model', 'Step'],
    [
      ['x'.repeat(100), '1 ms'],
      ['b', '10 ms'],
    ],
  );
  const lines = text.trimEnd().split('\n');
  assert.ok(
    lines.every((line) => line.length <= 80),
    text,
  );
  assert.ok(lines[2]!.includes('…') && lines[3]!.endsWith('10 ms'));
});

test('a plot has its markers where the points are, and no colours without a terminal', () => {
  const text = plot(
    terminal,
    [
      {
        label: 'A',
        points: [
          { x: 128, y: 100 },
          { x: 4096, y: 100 },
        ],
      },
      {
        label: 'B',
        points: [
          { x: 128, y: 200 },
          { x: 4096, y: 50 },
        ],
      },
    ],
    { title: 'Step', logX: true, logY: true, mark: 724 },
  );
  const lines = text.split('\n');
  assert.ok(
    lines.every((line) => line.length <= 80 && !line.includes('\u001b')),
    text,
  );
  assert.match(lines[1]!, /^ +200 │▲/);
  assert.match(lines[12]!, /50\.0 └.*▲$/);
  assert.match(lines[13]!, /128 +4096/);
  assert.ok(lines.some((line) => line.includes('┊')));
  assert.equal(plot(terminal, [{ label: 'A', points: [] }], { title: 'x' }), '');
});

test('a legend of many models stays within the width, and names each once', () => {
  const lines = Array.from({ length: 14 }, (_, i) => ({
    label: `Model ${i} 12x768`,
    points: [
      { x: 1, y: i },
      { x: 2, y: i + 1 },
    ],
  }));
  const text = plot(terminal, lines, { title: 'Step, ms, against context', mark: 1.5 });
  assert.ok(
    text.split('\n').every((line) => line.length <= 80),
    text,
  );
  for (const { label } of lines) assert.equal(text.split(label).length, 2, label);
});

const command: Command = {
  name: 'try',
  summary: 'Tries.',
  usage: '[options]',
  options: [
    { name: 'n', value: 'N', help: 'a number' },
    { name: 'env', value: 'K=V', help: 'pairs', many: true },
  ],
  run: async () => 0,
};

test('options are read strictly', () => {
  const args = new Arguments(command, ['x', '--n', '1,2', '--env', 'A=b=c', '--json']);
  assert.deepEqual(args.wholes('n', 1), [1, 2]);
  assert.deepEqual(args.pairs('env'), { A: 'b=c' });
  assert.ok(args.has('json'));
  assert.deepEqual(args.positionals, ['x']);
  assert.throws(() => new Arguments(command, ['--what']), UsageError);
  assert.throws(() => new Arguments(command, ['--n']), UsageError);
  for (const bad of ['x', '1.5', '', '0', '1e3', '99999999999999999999'])
    assert.throws(() => new Arguments(command, [`--n=${bad}`]).whole('n', 1), UsageError, bad);
  assert.throws(() => new Arguments(command, ['--env', 'A']).pairs('env'), /NAME=VALUE/);
  assert.match(helpOf(command), /--env K=V {2}pairs \(may be repeated\)/);
});

test('progress estimates come from work done, and none is made too early', () => {
  const sent: Progress[] = [];
  let now = 0;
  const meter = new ProgressMeter(
    (progress) => sent.push(progress),
    () => now,
  );
  meter.expect(100);
  meter.say('Tracing');
  assert.deepEqual(sent.at(-1), { message: 'Tracing', fraction: 0, secondsLeft: null });
  now = 10_000;
  meter.start();
  now = 15_000;
  meter.advance(25, 'Timing');
  assert.deepEqual(sent.at(-1), { message: 'Timing', fraction: 0.25, secondsLeft: 15 });
  meter.advance(25, 'Timing');
  assert.equal(sent.length, 2, 'not more often than people can read');
});

test('a report fits 80 columns and begins with its result', () => {
  const lines = reportText(terminal, sampleReport('/home/user/project')).split('\n');
  for (const line of lines) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  assert.match(lines[1]!, /^Step time: /);
});

test('the terminal report names contexts at which the machine was busy', () => {
  const report = sampleReport('/home/user/project');
  const busy = { ...report.control[0]!, context: 512, spread: 0.18, busy: true };
  const said = reportText(terminal, { ...report, control: [...report.control, busy] });
  assert.match(said, /The machine was busy at context 512 \(A\/A control ±18%\): a difference/);
  assert.doesNotMatch(reportText(terminal, report), /machine was busy/);
});

test('the time left is never cut off a progress line', () => {
  let shown = '';
  const live = { ...terminal, live: true, err: (text: string) => void (shown = text) };
  new ProgressLine(live).show({ message: 'Timing '.repeat(20), fraction: 0.5, secondsLeft: 700 });
  assert.match(shown, /…  about 12 min left$/);
  assert.ok(shown.replace('\r\u001b[K', '').length <= 80, shown);
});
