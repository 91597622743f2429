/** A model that runs: its state in native memory and the programs that share it. Every experiment uses this one class. */
import type { Compiled, IoPlace } from '../compiler/compiled.js';
import { SEGMENTS } from '../compiler/program.js';
import type { NativeProgram, NativeSession, NativeState, RunResult } from './binding.js';
import type { Mode, Prepared } from './prepare.js';
import { fit } from '../checkpoints/fit.js';
import { openCheckpoint } from '../checkpoints/open.js';
import { type TensorToStore, writeSafetensors } from '../checkpoints/safetensors.js';
import { readTensor } from '../checkpoints/storedTensor.js';
import { reading } from '../checkpoints/weightsError.js';

const IO = SEGMENTS.indexOf('io');

/** int64 [batch, context], little-endian bytes. */
export interface Inputs {
  readonly idx: Uint8Array;
  readonly targets?: Uint8Array;
}

export interface Hyper {
  readonly learningRate: number;
  /** From 1. */
  readonly step: number;
  /** Limit of the gradient norm; 0: none. */
  readonly clip: number;
}

export interface StepResult {
  readonly ms: number;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly optimizerMs: number;
  /** Nats per token. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly instructionNs: Float64Array | null;
}

export class LoadedModel {
  readonly #session: NativeSession;
  readonly #state: NativeState;
  readonly #programs = new Map<Mode, NativeProgram>();
  /** Names in the model's weights file that the model does not have. */
  unusedWeights: readonly string[] = [];
  /** What was done to its tensors to fit the model. */
  weightNotes: readonly string[] = [];

  private constructor(
    readonly prepared: Prepared,
    session: NativeSession,
  ) {
    this.#session = session;
    const [compiled] = [...prepared.programs.values()];
    this.#state = session.createState(compiled?.stateBytes ?? prepared.init.stateBytes);
    try {
      for (const [mode, { program }] of prepared.programs)
        this.#programs.set(mode, session.loadProgram(program, this.#state));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Allocates and fills the state: the model's own initialisation from `seed`, then its weights file if it has one. */
  static async load(session: NativeSession, prepared: Prepared, seed: number): Promise<LoadedModel> {
    const model = new LoadedModel(prepared, session);
    try {
      await model.initialize(seed);
      const { weights } = prepared.model.spec;
      if (weights !== undefined) model.importWeights(weights);
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** Gives the weights PyTorch gives after `torch.manual_seed(seed)`, and zeroes the optimizer's moments. */
  async initialize(seed: number): Promise<void> {
    const { init, programs } = this.prepared;
    for (const { layout } of programs.values()) {
      for (const [index, { first, second }] of layout.moments) {
        const bytes = elements(layout.tensors[index]!.shape) * 4;
        this.#state.write(first, new Uint8Array(bytes));
        this.#state.write(second, new Uint8Array(bytes));
      }
    }
    this.#session.seed(seed);
    const program = this.#session.loadProgram(init.program, this.#state);
    try {
      await program.run();
    } finally {
      program.dispose();
    }
  }

  #program(mode: Mode): { native: NativeProgram; compiled: Compiled } {
    const native = this.#programs.get(mode);
    const compiled = this.prepared.programs.get(mode);
    if (native === undefined || compiled === undefined)
      throw new Error(`The model was not compiled for "${mode}".`);
    return { native, compiled };
  }

  /** Runs one training step: forward, backward, clipping, AdamW. */
  async step(inputs: Inputs, hyper: Hyper, signal?: AbortSignal, profile = false): Promise<StepResult> {
    const { native, compiled } = this.#program('train');
    feed(native, compiled, inputs);
    if (compiled.hyper !== null) {
      const values = Float32Array.of(hyper.learningRate, hyper.step, hyper.clip, 0);
      native.write(IO, compiled.hyper.byteOffset, new Uint8Array(values.buffer));
    }
    const result = await run(native, signal, profile);
    return stepResult(
      result,
      scalar(native, compiled.outputs['loss']),
      scalar(native, compiled.outputs['gradNorm']),
    );
  }

  /** Loss, and logits where they were kept: f32 [batch, context, vocab]. */
  async forward(
    inputs: Inputs,
    signal?: AbortSignal,
  ): Promise<{ loss: number; logits: Float32Array | null; ms: number }> {
    const { native, compiled } = this.#program('forward');
    feed(native, compiled, inputs);
    const result = await run(native, signal, false);
    const logits = compiled.outputs['logits'];
    return {
      loss: scalar(native, compiled.outputs['loss']),
      logits: logits === undefined ? null : floats(native, logits),
      ms: result.totalNs / 1e6,
    };
  }

  /** Loss, logits where they were kept, and the gradient of every trained tensor by its state index. */
  async gradients(
    inputs: Inputs,
    signal?: AbortSignal,
  ): Promise<{ loss: number; logits: Float32Array | null; gradients: Map<number, Float32Array> }> {
    const { native, compiled } = this.#program('gradients');
    feed(native, compiled, inputs);
    await run(native, signal, false);
    const logits = compiled.outputs['logits'];
    return {
      loss: scalar(native, compiled.outputs['loss']),
      logits: logits === undefined ? null : floats(native, logits),
      gradients: new Map([...compiled.gradients].map(([index, place]) => [index, floats(native, place)])),
    };
  }

  /** Shape of the logits; `[]` when they were not kept. */
  logitsShape(mode: Mode): readonly number[] {
    return this.#program(mode).compiled.outputs['logits']?.shape ?? [];
  }

  /**
   * Reads every parameter and registered buffer from a checkpoint. A buffer the file lacks keeps its initial value. Throws
   * WeightsError.
   */
  importWeights(file: string): void {
    const checkpoint = openCheckpoint(file);
    const { tensors: places } = this.#layout();
    try {
      const registered = this.prepared.state.flatMap((tensor, index) =>
        tensor.kind === 'constant' ? [] : [{ ...tensor, place: places[index]! }],
      );
      const wanted = registered.map(({ names, kind, place }) => ({
        names,
        shape: place.shape,
        required: kind === 'parameter',
      }));
      const { tensors, unused, notes } = reading(file, () => fit(checkpoint, wanted));
      tensors.forEach((tensor, index) => {
        if (tensor === null) return;
        const { name, place } = registered[index]!;
        reading(`${file}: "${name}"`, () =>
          readTensor(tensor, place.storage, (offset, bytes) =>
            this.#state.write(place.byteOffset + offset, bytes),
          ),
        );
      });
      this.unusedWeights = unused;
      this.weightNotes = notes;
    } finally {
      checkpoint.close();
    }
  }

  /** Writes every parameter and registered buffer under its first name. */
  exportWeights(file: string): void {
    const tensors = this.prepared.state.flatMap((tensor, index) =>
      tensor.kind === 'constant' ? [] : [this.#stored(tensor.name, index)],
    );
    writeSafetensors(file, tensors);
  }

  #stored(name: string, index: number): TensorToStore {
    const place = this.#layout().tensors[index]!;
    const bytes = this.#state.read(place.byteOffset, elements(place.shape) * WIDTH[place.storage]);
    return { name, storage: place.storage, shape: place.shape, bytes };
  }

  #layout(): Compiled['layout'] {
    const [compiled] = [...this.prepared.programs.values()];
    return (compiled ?? this.prepared.init).layout;
  }

  /** Frees native memory; twice is fine. */
  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
    this.#state.dispose();
  }
}

const WIDTH = { f32: 4, i64: 8, u8: 1 } as const;
const elements = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

function feed(native: NativeProgram, compiled: Compiled, inputs: Inputs): void {
  const { idx, targets } = compiled.inputs;
  if (idx !== undefined) native.write(IO, idx.byteOffset, inputs.idx);
  if (targets !== undefined && inputs.targets !== undefined)
    native.write(IO, targets.byteOffset, inputs.targets);
}

/** Runs a whole program; aborting cancels it within 300 ms and rejects with the signal's reason. */
async function run(
  native: NativeProgram,
  signal: AbortSignal | undefined,
  profile: boolean,
): Promise<RunResult> {
  signal?.throwIfAborted();
  const cancel = (): void => native.cancel();
  signal?.addEventListener('abort', cancel);
  try {
    return await native.run(profile ? { profile } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function stepResult(result: RunResult, loss: number, gradientNorm: number): StepResult {
  const [, forward = 0, backward = 0, optimizer = 0] = result.phaseNs;
  return {
    ms: result.totalNs / 1e6,
    forwardMs: forward / 1e6,
    backwardMs: backward / 1e6,
    optimizerMs: optimizer / 1e6,
    loss,
    gradientNorm,
    instructionNs: result.instructionNs ?? null,
  };
}

function floats(native: NativeProgram, place: IoPlace): Float32Array {
  const bytes = native.read(IO, place.byteOffset, elements(place.shape) * 4);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function scalar(native: NativeProgram, place: IoPlace | undefined): number {
  return place === undefined ? NaN : floats(native, place)[0]!;
}
