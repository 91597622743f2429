/** The one typed mirror of the native addon (`native/addon.cc`). Only the engine process loads the `.node` file. */

export interface CpuInfo {
  readonly model: string;
  readonly threads: number;
  /** `avx512`, `avx2` or `portable`: the kernels chosen at run time. */
  readonly instructionSet: string;
  /** Version of oneDNN, or `null` when the portable matrix product serves. */
  readonly oneDnn: string | null;
  readonly bf16: boolean;
  readonly memoryBytes: number;
}

export interface RunOptions {
  /** Instruction range [start, end); the whole program when left out. */
  readonly start?: number;
  readonly end?: number;
  /** Record nanoseconds per instruction. */
  readonly profile?: boolean;
}

export interface RunResult {
  /** Wall time of the range in nanoseconds. */
  readonly totalNs: number;
  /** Wall time per phase in nanoseconds, indexed as PHASES. Always recorded. */
  readonly phaseNs: Float64Array;
  /** Per instruction, only with `profile`. */
  readonly instructionNs?: Float64Array;
}

/** Errors thrown are `Error`s with `code`: `program`, `memory`, `disposed`, `busy`, `cancelled`, `data`. */
export interface NativeProgram {
  /** Runs off the event loop. Rejects with code `cancelled` within 300 ms of `cancel()`. One run at a time. */
  run(options?: RunOptions): Promise<RunResult>;
  cancel(): void;
  /** Copies bytes into or out of a segment; rejects out-of-range places. */
  write(segment: number, byteOffset: number, data: Uint8Array): void;
  read(segment: number, byteOffset: number, byteLength: number): Uint8Array;
  dispose(): void;
}

/** The state segment of one model, shared by its programs. */
export interface NativeState {
  readonly byteLength: number;
  write(byteOffset: number, data: Uint8Array): void;
  read(byteOffset: number, byteLength: number): Uint8Array;
  dispose(): void;
}

export interface NativeSession {
  createState(byteLength: number): NativeState;
  /** Parses and validates; the error says which instruction and why. Allocates arena and io (told first, with bytes). */
  loadProgram(bytes: Uint8Array, state: NativeState): NativeProgram;
  /** Restarts PyTorch's CPU generator of this session. */
  seed(seed: number): void;
  dispose(): void;
}

export interface NativeAddon {
  readonly version: string;
  devices(): CpuInfo;
  createSession(options: { threads?: number }): NativeSession;
  /** Opcode and fused-op tables as compiled in, for the drift test. */
  tables(): { opcodes: string[]; fusedOps: string[] };
}
