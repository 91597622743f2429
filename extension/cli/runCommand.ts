/** Starts an experiment, shows its progress, cancels it on Ctrl-C, and hands back its report. */
import path from 'node:path';
import { cancelRun, startRun } from '../core/engine/client.js';
import type { Experiment } from '../core/experiments/experiment.js';
import { validateExperiment } from '../core/experiments/validate.js';
import { resolveModels } from '../core/experiments/modelSource.js';
import { runEnded } from '../core/runs/index.js';
import type { Problem, Report } from '../shared/report.js';
import type { Arguments, ExitCode } from './command.js';
import type { Terminal } from './terminal.js';
import { ProgressLine } from './text/progressLine.js';
import { reportText } from './text/reportText.js';

export interface FinishedRun {
  readonly folder: string;
  readonly report: Report;
}

/** Runs in a run folder below the current folder. What is wrong with the experiment is told before anything starts. */
async function runToEnd(experiment: Experiment, terminal: Terminal): Promise<FinishedRun> {
  const root = process.cwd();
  validateExperiment(experiment);
  resolveModels(experiment.models, root);
  const { folder } = await startRun(experiment, root);
  const line = new ProgressLine(terminal);
  let asked = 0;
  const interrupt = (): void => {
    asked += 1;
    line.clear();
    if (asked > 1) process.exit(3);
    terminal.err('Cancelling; press Ctrl-C again to leave at once.\n');
    void cancelRun(folder);
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const report = await runEnded(folder, ({ progress }) => {
      if (progress !== null && asked === 0) line.show(progress);
    });
    return { folder, report };
  } finally {
    line.clear();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** Runs an experiment and tells its results: as `document` makes them of the report with `--json`, as tables without. */
export async function runAndTell(
  experiment: Experiment,
  args: Arguments,
  terminal: Terminal,
  document: (report: Report) => unknown,
): Promise<FinishedRun> {
  const run = await runToEnd(experiment, terminal);
  if (args.has('json')) terminal.out(`${JSON.stringify(document(run.report))}\n`);
  else terminal.out(reportText(terminal, { ...run.report, problems: [] }));
  return run;
}

/** How a run ended, as an exit code; problems are written to standard error, one sentence each. */
export function endOf({ folder, report }: FinishedRun, terminal: Terminal): ExitCode {
  for (const problem of report.problems) {
    const { model } = problem;
    const message = placed(problem);
    terminal.err(`${model === null || message.includes(model) ? '' : `${model}: `}${message}\n`);
  }
  const relative = path.relative(process.cwd(), folder);
  if (report.status === 'cancelled')
    terminal.err(`The run was cancelled; what was measured is in ${relative}.\n`);
  return report.status === 'done' && report.problems.length === 0 ? 0 : 3;
}

/** The message with its place as a path from here, so that terminals and editors find the file. */
function placed({ message, file, line }: Problem): string {
  if (file === null || line === null) return message;
  const name = `${path.basename(file)}:${line}`;
  const at = message.lastIndexOf(name);
  // What stands before the name is the path as the model's own folder sees it.
  const from = at < 0 ? at : message.lastIndexOf('(', at) + 1;
  return at < 0 || from === 0
    ? message
    : `${message.slice(0, from)}${path.relative(process.cwd(), file)}:${line}${message.slice(at + name.length)}`;
}
