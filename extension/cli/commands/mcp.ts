import type { Command, ExitCode } from '../command.js';

/** The tools of the editor for agents anywhere. */
export const mcp: Command = {
  name: 'mcp',
  summary: 'Serves trace, benchmark, decode and compare to agents, over the Model Context Protocol.',
  usage: '[--root FOLDER]',
  details:
    'It speaks on standard input and output until they close; name it as a stdio server in the settings of an agent: command crossover, argument mcp. Relative model files are read from the root, and runs are kept below it.',
  options: [
    { name: 'root', value: 'FOLDER', help: 'folder of model files and runs; default the current one' },
  ],
  async run(args): Promise<ExitCode> {
    const { serveTools } = await import('../mcpServer.js');
    await serveTools(args.text('root') ?? process.cwd());
    return 0;
  },
};
