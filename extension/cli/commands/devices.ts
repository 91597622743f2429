import type { Command } from '../command.js';
import { withEngine } from '../withEngine.js';
import { table } from '../text/table.js';
import { bytesText } from '../text/units.js';

/** What this machine can measure on. */
export const devices: Command = {
  name: 'devices',
  summary: 'Lists what models can run on here, and which kernels serve.',
  usage: '[options]',
  options: [],
  async run(args, terminal) {
    const cpu = await withEngine((engine) => engine.ask<'devices'>({ method: 'devices' }));
    const device = { id: 'cpu', ...cpu };
    if (args.has('json')) {
      terminal.out(`${JSON.stringify({ devices: [device] })}\n`);
      return 0;
    }
    const library =
      cpu.oneDnn === null
        ? 'portable fallback (oneDNN was not found when the addon was built)'
        : `oneDNN ${cpu.oneDnn}`;
    terminal.out(
      table(
        terminal,
        ['Device', 'Processor', 'Threads', 'Kernels', 'bf16', 'Memory'],
        [
          [
            'cpu',
            cpu.model,
            String(cpu.threads),
            cpu.instructionSet,
            cpu.bf16 ? 'yes' : 'no',
            bytesText(cpu.memoryBytes),
          ],
        ],
      ) + `Matrix products: ${library}.\n`,
    );
    return 0;
  },
};
