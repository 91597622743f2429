/** Standard output and error: documents on one, progress and sentences on the other; colours only where they are seen. */

export interface Terminal {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Columns of the output, at most 100. */
  readonly width: number;
  readonly colors: boolean;
  /** Whether standard error is a terminal, where a line can be redrawn. */
  readonly live: boolean;
}

/** The terminal of this process. `NO_COLOR` and pipes turn colours off. */
export function systemTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    width: Math.max(60, Math.min(100, stdout.columns ?? 80)),
    colors: stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    live: stderr.isTTY && env['TERM'] !== 'dumb',
  };
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;
export type Style = keyof typeof CODES;

/** Puts a style around text where colours are on. */
export function styled(terminal: Terminal, style: Style, text: string): string {
  return terminal.colors ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}
