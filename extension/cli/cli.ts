#!/usr/bin/env node
/** `crossover`: the command line. */
import { EngineError } from '../core/engine/client.js';
import { crossoverVersion } from '../core/experiments/environment.js';
import { UsageError } from '../core/experiments/usageError.js';
import { Arguments, type Command, type ExitCode, helpOf } from './command.js';
import { bench } from './commands/bench.js';
import { compare } from './commands/compare.js';
import { decode } from './commands/decode.js';
import { devices } from './commands/devices.js';
import { evaluate } from './commands/eval.js';
import { forward } from './commands/forward.js';
import { generate } from './commands/generate.js';
import { mcp } from './commands/mcp.js';
import { models } from './commands/models.js';
import { report } from './commands/report.js';
import { trace } from './commands/trace.js';
import { train } from './commands/train.js';
import { verify } from './commands/verify.js';
import { weights } from './commands/weights.js';
import { wrap } from './text/wrap.js';
import { systemTerminal, type Terminal } from './terminal.js';

const COMMANDS: readonly Command[] = [
  devices,
  models,
  trace,
  bench,
  decode,
  train,
  evaluate,
  compare,
  verify,
  forward,
  generate,
  weights,
  report,
  mcp,
];

function help(): string {
  const rows = COMMANDS.map(
    ({ name, summary }) => `  ${name.padEnd(9)}${wrap(summary, 69).replaceAll('\n', `\n${' '.repeat(11)}`)}`,
  );
  return `crossover COMMAND [options]\n\nCompares language-model architectures on this machine.\n\n${rows.join('\n')}\n\ncrossover COMMAND --help says more. Exit codes: 0 fine, 1 a finding,\n2 wrong usage, 3 failure.\n`;
}

async function main(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = words;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(help());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    terminal.out(`${crossoverVersion()}\n`);
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined)
    throw new UsageError(
      `There is no command "${name}"; the commands are ${COMMANDS.map((one) => one.name).join(', ')}.`,
    );
  if (rest.includes('--help')) {
    terminal.out(helpOf(command));
    return 0;
  }
  return command.run(new Arguments(command, rest), terminal);
}

/** One sentence on standard error, and the exit code. */
function fail(error: unknown, terminal: Terminal): ExitCode {
  const message = error instanceof Error ? error.message : String(error);
  terminal.err(`${message.trim().replace(/\s*\n\s*/g, ' ')}\n`);
  const wrongUsage =
    error instanceof UsageError || (error instanceof EngineError && error.kind === 'UsageError');
  return wrongUsage ? 2 : 3;
}

const terminal = systemTerminal();
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 3));
const code = await main(process.argv.slice(2), terminal).catch((error: unknown) => fail(error, terminal));
process.exitCode = code;
