import type { Command } from '../command.js';
import { benchDocument } from '../documents.js';
import {
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  modelsOf,
  PARAMETERS_OPTION,
  timingOf,
  TIMING_OPTIONS,
  VOCAB_OPTION,
} from '../options.js';
import { endOf, runAndTell } from '../runCommand.js';
import { requireModels } from './requireModels.js';

/** Training-step time against context. */
export const bench: Command = {
  name: 'bench',
  summary: 'Times whole training steps of the models, in turn, at several contexts.',
  usage: 'MODEL... [options]',
  details: MODEL_DETAILS,
  options: [...TIMING_OPTIONS, PARAMETERS_OPTION, VOCAB_OPTION, ...MACHINE_OPTIONS, ...LAUNCH_OPTIONS],
  async run(args, terminal) {
    const models = requireModels(modelsOf(args), 'bench');
    return endOf(
      await runAndTell(
        { version: 1, models, ...machineOf(args), timing: timingOf(args) },
        args,
        terminal,
        benchDocument,
      ),
      terminal,
    );
  },
};
