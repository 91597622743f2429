import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { defaultComparison } from '../../core/experiments/defaults.js';
import { fileProblem, writeProblem } from '../../core/fileProblem.js';
import type { Experiment } from '../../core/experiments/experiment.js';
import { UsageError } from '../../core/experiments/usageError.js';
import { validateExperiment } from '../../core/experiments/validate.js';
import { zooIds } from '../../core/experiments/zoo.js';
import { messageOf, reportFile } from '../../core/runs/index.js';
import type { Arguments, Command } from '../command.js';
import {
  DATA_OPTIONS,
  dataOf,
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  PARAMETERS_OPTION,
  modelsOf,
  sized,
  timingOf,
  TIMING_OPTIONS,
  DECODE_CONTEXTS_OPTION,
  decodeOf,
  trainOf,
  TRAIN_OPTIONS,
  VOCAB_OPTION,
} from '../options.js';
import { endOf, type FinishedRun, runAndTell } from '../runCommand.js';
import type { Terminal } from '../terminal.js';
import { writeHtml } from '../writeHtml.js';
import { RECALL_OPTIONS, recallOf } from './eval.js';

/** Everything about several models, and where their curves cross. */
export const compare: Command = {
  name: 'compare',
  summary:
    'Compares models: time against context, decoding, loss on the same text, evals, and where the curves cross.',
  usage: '[MODEL... | EXPERIMENT.json] [options]',
  details: `${MODEL_DETAILS}
Without models it runs the default comparison, GPT-2 beside RWKV-7; --parameters makes it all zoo models. An experiment is a JSON document; --save writes
the one that the options describe instead of running it. Options do not change an EXPERIMENT.json.`,
  options: [
    { name: 'save', value: 'FILE', help: 'write the experiment as JSON and run nothing' },
    { name: 'no-timing', help: 'leave timing out' },
    { name: 'no-decode', help: 'leave decoding out' },
    { name: 'no-train', help: 'leave training and held-out text out' },
    { name: 'no-recall', help: 'leave associative recall out' },
    ...TIMING_OPTIONS,
    DECODE_CONTEXTS_OPTION,
    ...DATA_OPTIONS,
    ...TRAIN_OPTIONS,
    ...RECALL_OPTIONS,
    PARAMETERS_OPTION,
    VOCAB_OPTION,
    ...MACHINE_OPTIONS,
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal) {
    const experiment = experimentOf(args);
    const save = args.text('save');
    if (save !== undefined) {
      try {
        writeFileSync(save, `${JSON.stringify(experiment, null, 2)}\n`);
      } catch (error) {
        throw new Error(`The experiment could not be written to ${save} (${writeProblem(error)}).`);
      }
      terminal.err(`The experiment was written to ${save}; crossover compare ${save} runs it.\n`);
      return 0;
    }
    const run = await runAndTell(experiment, args, terminal, (report) => report);
    // Problems first: a terminal that closes with the last line of a task may not look at that line any more.
    const code = endOf(run, terminal);
    return tellWhere(run, terminal) ? code : 3;
  },
};

function experimentOf(args: Arguments): Experiment {
  const [first] = args.positionals;
  if (args.positionals.length === 1 && first!.endsWith('.json')) {
    const other = args.given().find((name) => name !== 'json');
    if (other !== undefined)
      throw new UsageError(`--${other} has no effect on an experiment from a file: change ${first} instead.`);
    return readExperiment(first!);
  }
  const preset = defaultComparison();
  const size = args.text('parameters');
  const named = modelsOf(args);
  const isFamily = named.length === 0 && size !== undefined;
  const models = isFamily ? zooIds().map((id) => ({ source: sized(id, size) })) : named;
  const has = (names: readonly string[]): boolean => names.some((name) => args.text(name) !== undefined);
  const given = (options: readonly { readonly name: string }[]): boolean =>
    has(options.map(({ name }) => name));
  const isPlain = models.length === 0;
  const timing = isPlain && !given(TIMING_OPTIONS) ? preset.timing! : timingOf(args);
  const train = isPlain && !given(TRAIN_OPTIONS) ? preset.train! : trainOf(args);
  const recall =
    isPlain && !given(RECALL_OPTIONS)
      ? preset.evals!.filter(({ kind }) => kind === 'mqar')
      : [recallOf(args)];
  const withTraining = !args.has('no-train');
  return validateExperiment({
    version: 1,
    ...(isPlain ? { title: preset.title } : {}),
    models: isPlain ? preset.models : models,
    ...machineOf(args),
    ...(args.has('no-timing') ? {} : { timing }),
    ...(args.has('no-decode') ? {} : { decode: decodeOf(args, 'decode-contexts') }),
    ...(withTraining ? { data: dataOf(args), train } : {}),
    evals: [...(withTraining ? [{ kind: 'heldout' }] : []), ...(args.has('no-recall') ? [] : recall)],
  });
}

/** Reads an experiment; relative paths in it are read from the current folder. */
function readExperiment(file: string): Experiment {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} could not be read as an experiment (${fileProblem(error)}).`);
  }
  return validateExperiment(value);
}

/** Writes the HTML report, where there is something to report, and says where everything is. */
function tellWhere({ folder, report }: FinishedRun, terminal: Terminal): boolean {
  const relative = (file: string): string => path.relative(process.cwd(), file);
  const { timing, decode, loss, evals } = report;
  if (timing.length + decode.length + loss.length + evals.length === 0) return true;
  const html = reportFile(folder);
  let problem: string | null = null;
  try {
    writeHtml(report, html);
  } catch (error) {
    problem = messageOf(error);
  }
  terminal.err(
    (problem === null
      ? `\nReport:     ${relative(html)}\n            (open it in a browser; it works offline)\n`
      : `\n${problem}\n`) +
      `Run folder: ${relative(folder)}\n` +
      'In VS Code: open this folder, then "Crossover: Open Results" in the command\n' +
      '            palette.\n',
  );
  return problem === null;
}
