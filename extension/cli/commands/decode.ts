import type { Command } from '../command.js';
import { decodeDocument } from '../documents.js';
import {
  DECODE_OPTIONS,
  decodeOf,
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  modelsOf,
  PARAMETERS_OPTION,
  VOCAB_OPTION,
} from '../options.js';
import { endOf, runAndTell } from '../runCommand.js';
import { requireModels } from './requireModels.js';

/** Tokens per second and what must be kept, against context. */
export const decode: Command = {
  name: 'decode',
  summary:
    'Times tokens one by one after prompts of several lengths: tokens per second, state, time of the prompt.',
  usage: 'MODEL... [options]',
  details: `${MODEL_DETAILS}
Nothing in the file has to be written for it: attention keeps its keys and values, a recurrence its state.`,
  options: [...DECODE_OPTIONS, PARAMETERS_OPTION, VOCAB_OPTION, ...MACHINE_OPTIONS, ...LAUNCH_OPTIONS],
  async run(args, terminal) {
    const models = requireModels(modelsOf(args), 'decode');
    const experiment = {
      version: 1,
      models,
      ...machineOf(args),
      decode: decodeOf(args, 'contexts'),
    } as const;
    return endOf(await runAndTell(experiment, args, terminal, decodeDocument), terminal);
  },
};
