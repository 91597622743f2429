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
import { endOf, runAndTell } from '../runCommand.js';
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
    return endOf(await runAndTell(experiment, args, terminal, trainDocument), terminal);
  },
};
