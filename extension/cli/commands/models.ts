import { parseSize } from '../../core/experiments/modelSource.js';
import { zooIds, zooModel } from '../../core/experiments/zoo.js';
import type { Command } from '../command.js';
import { PARAMETERS_OPTION } from '../options.js';
import { table } from '../text/table.js';
import { countText } from '../text/units.js';

/** The models that ship. */
export const models: Command = {
  name: 'models',
  summary:
    'Lists the models that ship with Crossover, at their usual size or at one that makes them comparable.',
  usage: '[options]',
  details:
    'Parameters are those outside the embeddings and the output head. Another size of one model is asked for by its\nnumber of them: gpt2:1.2M. Your own model is FILE.py::EXPRESSION.',
  options: [PARAMETERS_OPTION],
  async run(args, terminal) {
    const asked = args.text('parameters');
    const parameters = asked === undefined ? undefined : parseSize(asked);
    const zoo = zooIds().map((id) => zooModel(id, parameters === undefined ? {} : { parameters }));
    if (args.has('json')) {
      terminal.out(`${JSON.stringify({ models: zoo })}\n`);
      return 0;
    }
    const sized = zoo.map(({ id, label, shape, parameters: count }) => {
      if (parameters === undefined) return [id, label, countText(count)];
      const { layers, width, heads } = shape;
      const deviation = `${(100 * (count / parameters - 1)).toFixed(1)}%`;
      return [id, String(layers), String(width), String(heads), count.toLocaleString('en-US'), deviation];
    });
    const head =
      parameters === undefined
        ? ['Id', 'Model', 'Parameters']
        : ['Id', 'Layers', 'Width', 'Heads', 'Parameters', 'Deviation'];
    terminal.out(
      `${table(terminal, head, sized)}\n${zoo.map(({ id, reference }) => `${id}: ${reference}`).join('\n')}\n`,
    );
    return 0;
  },
};
