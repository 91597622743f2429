/** Errors as they cross a thread or a process: what a person needs of them. */

export interface WireError {
  readonly message: string;
  /** Class of the error, e.g. `TraceError`. */
  readonly name: string;
  readonly code: string | null;
  readonly file: string | null;
  readonly line: number | null;
}

export function toWire(error: unknown): WireError {
  const found = (error instanceof Error ? error : new Error(String(error))) as Error &
    Record<'code' | 'file' | 'line', unknown>;
  return {
    message: found.message,
    name: found.name,
    code: typeof found.code === 'string' ? found.code : null,
    file: typeof found.file === 'string' ? found.file : null,
    line: typeof found.line === 'number' ? found.line : null,
  };
}

/** An error of the same class name, with the same place in the user's file. */
export function fromWire({ name, message, code, file, line }: WireError): Error {
  return Object.assign(new Error(message), { name, code, file, line });
}
