/** What a command is, how its options are read and how its help is printed. */
import { parseArgs } from 'node:util';
import { UsageError } from '../core/experiments/usageError.js';
import type { Terminal } from './terminal.js';
import { wrap } from './text/wrap.js';

/** 0 fine, 1 a finding, 2 wrong usage, 3 failure. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface Option {
  readonly name: string;
  /** Shown in help, e.g. `N`; an option without one is a switch. */
  readonly value?: string;
  readonly help: string;
  /** May be given several times. */
  readonly many?: boolean;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the name, e.g. `MODEL... [options]`. */
  readonly usage: string;
  /** More lines of help. */
  readonly details?: string;
  readonly options: readonly Option[];
  run(args: Arguments, terminal: Terminal): Promise<ExitCode>;
}

const COMMON: readonly Option[] = [
  { name: 'json', help: 'one JSON document on standard output' },
  { name: 'help', help: 'this text' },
];

/** The arguments of one command. Getters throw {@link UsageError} for values that are not what the option takes. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

  /** Throws {@link UsageError} for unknown options and missing values. */
  constructor(command: Command, words: readonly string[]) {
    const options = Object.fromEntries(
      [...command.options, ...COMMON].map(({ name, value, many = false }) => [
        name,
        { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: many },
      ]),
    );
    try {
      const parsed = parseArgs({ args: joinNegatives(words), options, allowPositionals: true, strict: true });
      this.positionals = parsed.positionals;
      this.#values = parsed.values;
    } catch (error) {
      const why = (error instanceof Error ? error.message : String(error))
        .split('\n')[0]!
        .replace(/[.:] .*$|\.$/, '');
      throw new UsageError(`${why}; see crossover ${command.name} --help.`);
    }
  }

  /** Names of the options that were given. */
  given(): string[] {
    return Object.keys(this.#values);
  }

  has(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  texts(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  }

  /** A whole number of at least `least`. */
  whole(name: string, least: number): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : wholeNumber(value, name, least);
  }

  /** A number of at least 0. */
  number(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = value.trim() === '' ? NaN : Number(value);
    if (!Number.isFinite(number) || number < 0)
      throw new UsageError(`--${name} takes a number of 0 or more, not "${value}".`);
    return number;
  }

  /** Whole numbers separated by commas. */
  wholes(name: string, least: number): readonly number[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((part) => wholeNumber(part, name, least));
  }

  /** `K=V` pairs. */
  pairs(name: string): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.texts(name).map((pair) => {
        const cut = pair.indexOf('=');
        if (cut < 1) throw new UsageError(`--${name} takes NAME=VALUE, not "${pair}".`);
        return [pair.slice(0, cut), pair.slice(cut + 1)];
      }),
    );
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new UsageError(`--${name} takes ${choices.join(' or ')}, not "${value}".`);
    return found;
  }
}

/** `--targets -1,2` as `--targets=-1,2`: a negative number behind an option is its value, not another option. */
function joinNegatives(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1);
    if (/^-\d/.test(word) && last !== undefined && /^--[a-z-]+$/.test(last))
      joined[joined.length - 1] = `${last}=${word}`;
    else joined.push(word);
  }
  return joined;
}

function wholeNumber(text: string, name: string, least: number): number {
  const value = /^\s*-?\d+\s*$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value) || value < least)
    throw new UsageError(`--${name} takes whole numbers from ${least}, not "${text}".`);
  return value;
}

const HELP_WIDTH = 80;

/** Help of one command. */
export function helpOf(command: Command): string {
  const rows = [...command.options, ...COMMON].map((option) => [
    `--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`,
    option.help + (option.many === true ? ' (may be repeated)' : ''),
  ]);
  const indent = Math.max(...rows.map(([left]) => left!.length)) + 4;
  const options = rows.map(([left, right]) => {
    const [first, ...rest] = wrap(right!, HELP_WIDTH - indent).split('\n');
    return [`  ${left}`.padEnd(indent) + first!, ...rest.map((line) => ' '.repeat(indent) + line)].join('\n');
  });
  const details = (command.details ?? '').replaceAll(/\s*\n\s*/g, ' ').trim();
  return [
    `crossover ${command.name} ${command.usage}`,
    wrap(command.summary, HELP_WIDTH),
    ...(details === '' ? [] : [wrap(details, HELP_WIDTH)]),
    `Options:\n${options.join('\n')}\n`,
  ].join('\n\n');
}
