/** A model that runs: its state in native memory and the programs that share it. Every experiment uses this one class. */
import type { Compiled, IoPlace } from '../compiler/compiled.js';
import { SEGMENTS } from '../compiler/program.js';
import { elementCount } from '../compiler/shapes.js';
import type { NativeProgram, NativeSession, RunResult } from './binding.js';
import { ModelState } from './modelState.js';
import type { Mode, Prepared } from './prepare.js';

export const IO = SEGMENTS.indexOf('io');

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
  readonly #programs = new Map<Mode, NativeProgram>();

  private constructor(
    readonly prepared: Prepared,
    readonly state: ModelState,
  ) {
    try {
      for (const [mode, compiled] of prepared.programs) this.#programs.set(mode, state.program(compiled));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Allocates and fills the state: the model's own initialisation from `seed`, then its weights file if it has one. */
  static async load(session: NativeSession, prepared: Prepared, seed: number): Promise<LoadedModel> {
    const { init, programs, state: tensors } = prepared;
    const { layout } = [...programs.values()][0] ?? init;
    const model = new LoadedModel(prepared, new ModelState(session, tensors, layout, init));
    try {
      await model.initialize(seed);
      const { weights } = prepared.model.spec;
      if (weights !== undefined) model.state.importWeights(weights);
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** Gives the weights PyTorch gives after `torch.manual_seed(seed)`, and zeroes the optimizer's moments. */
  initialize(seed: number): Promise<void> {
    return this.state.initialize(seed);
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

  /** Frees native memory; twice is fine. */
  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
    this.state.dispose();
  }
}

function feed(native: NativeProgram, compiled: Compiled, inputs: Inputs): void {
  const { idx, targets } = compiled.inputs;
  if (idx !== undefined) native.write(IO, idx.byteOffset, inputs.idx);
  if (targets !== undefined && inputs.targets !== undefined)
    native.write(IO, targets.byteOffset, inputs.targets);
}

/** Runs a whole program; aborting cancels it within 300 ms and rejects with the signal's reason. */
export async function run(
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

export function floats(native: NativeProgram, place: IoPlace): Float32Array {
  const bytes = native.read(IO, place.byteOffset, elementCount(place.shape) * 4);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function scalar(native: NativeProgram, place: IoPlace | undefined): number {
  return place === undefined ? NaN : floats(native, place)[0]!;
}
