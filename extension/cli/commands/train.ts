import type { Command } from '../command.js';
import { trainDocument } from '../documents.js';
import {
  DATA_OPTIONS,
  dataOf,
  HEADS_OPTION,
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  modelsOf,
  trainOf,
  TRAIN_OPTIONS,
  VOCAB_OPTION,
  WEIGHTS_OPTION,
} from '../options.js';
import { endOf, runToEnd } from '../runCommand.js';
import { reportText } from '../text/reportText.js';
import { requireModels } from './requireModels.js';

/** Loss against steps, tokens and seconds. */
export const train: Command = {
  name: 'train',
  summary: 'Trains the models on the same batches of the same text and records their loss.',
  usage: 'MODEL... [options]',
  details: MODEL_DETAILS,
  options: [
    ...DATA_OPTIONS,
    ...TRAIN_OPTIONS,
    VOCAB_OPTION,
    WEIGHTS_OPTION,
    HEADS_OPTION,
    ...MACHINE_OPTIONS,
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal) {
    const models = requireModels(modelsOf(args), 'train');
    const experiment = {
      version: 1,
      models,
      ...machineOf(args),
      data: dataOf(args),
      train: trainOf(args),
    } as const;
    const run = await runToEnd(experiment, terminal);
    if (args.has('json')) terminal.out(`${JSON.stringify(trainDocument(run.report))}\n`);
    else terminal.out(reportText(terminal, { ...run.report, problems: [] }));
    return endOf(run, terminal);
  },
};
