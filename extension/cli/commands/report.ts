import { existsSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../core/experiments/usageError.js';
import { listRuns, readReport, type RunEntry } from '../../core/runs/index.js';
import type { Command } from '../command.js';
import { table } from '../text/table.js';
import { reportText } from '../text/reportText.js';
import { writeHtml } from '../writeHtml.js';

/** Results of runs that were made before, or are going on. */
export const report: Command = {
  name: 'report',
  summary: 'Shows the results of a run: the latest one of this folder, or the one that is named.',
  usage: '[RUN] [options]',
  details: 'RUN is a run folder or the id of a run below .crossover/runs.',
  options: [
    { name: 'list', help: 'list the runs of this folder instead' },
    { name: 'html', value: 'FILE', help: 'also write a self-contained HTML report' },
  ],
  async run(args, terminal) {
    const runs = await listRuns(process.cwd());
    if (args.has('list')) {
      if (args.has('json')) terminal.out(`${JSON.stringify({ runs })}\n`);
      else terminal.out(table(terminal, ['Run', 'Status', 'Started', 'Title'], runs.map(row)));
      return 0;
    }
    const [named] = args.positionals;
    const found = await readReport(named === undefined ? latest(runs) : folderOf(named, runs));
    const html = args.text('html');
    if (html !== undefined) writeHtml(found, html);
    terminal.out(args.has('json') ? `${JSON.stringify(found)}\n` : reportText(terminal, found));
    return 0;
  },
};

function row({ id, status, startedAt, title, problem }: RunEntry): string[] {
  return [
    id,
    problem === null ? status : 'unreadable',
    new Date(startedAt).toISOString().slice(0, 16).replace('T', ' '),
    title,
  ];
}

function latest(runs: readonly RunEntry[]): string {
  const [first] = runs;
  if (first === undefined)
    throw new UsageError('There are no runs below this folder: crossover compare makes one.');
  return first.folder;
}

function folderOf(named: string, runs: readonly RunEntry[]): string {
  const run = runs.find(({ id }) => id === named);
  if (run !== undefined) return run.folder;
  if (existsSync(named)) return path.resolve(named);
  throw new UsageError(`There is no run "${named}": crossover report --list lists the runs of this folder.`);
}
