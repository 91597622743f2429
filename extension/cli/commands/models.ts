import { zooIds, zooModel } from '../../core/experiments/zoo.js';
import type { Command } from '../command.js';
import { table } from '../text/table.js';
import { countText } from '../text/units.js';

/** The models that ship. */
export const models: Command = {
  name: 'models',
  summary: 'Lists the models that ship with Crossover, at their usual size.',
  usage: '[options]',
  details:
    'Another size is asked for by number of parameters: gpt2:1.2M. Your own model is FILE.py::EXPRESSION.',
  options: [],
  async run(args, terminal) {
    const zoo = zooIds().map((id) => zooModel(id));
    if (args.has('json')) {
      terminal.out(`${JSON.stringify({ models: zoo })}\n`);
      return 0;
    }
    const rows = zoo.map(({ id, label, parameters, reference }) => [
      id,
      label,
      countText(parameters),
      reference,
    ]);
    const widths = table(
      terminal,
      ['Id', 'Model', 'Parameters'],
      rows.map((cells) => cells.slice(0, 3)),
    );
    terminal.out(`${widths}\n${rows.map(([id, , , reference]) => `${id}: ${reference}`).join('\n')}\n`);
    return 0;
  },
};
