/** What the compiler returns: a serialized program and everything needed to feed, read and explain it. */
import type { Mixer } from '../../shared/report.js';
import type { Phase } from './graph.js';

export interface StatePlace {
  readonly name: string;
  readonly byteOffset: number;
  readonly shape: readonly number[];
  readonly storage: 'f32' | 'i64' | 'u8';
}

/** Layout of the state segment; a pure function of a trace, so that all programs of one trace share it. */
export interface StateLayout {
  readonly byteLength: number;
  /** Parallel to `Trace.state`. */
  readonly tensors: readonly StatePlace[];
  /** AdamW moments per `Trace.state` index (absent for tensors without gradient). */
  readonly moments: ReadonlyMap<number, { first: number; second: number }>;
}

export interface IoPlace {
  readonly byteOffset: number;
  readonly shape: readonly number[];
  readonly storage: 'f32' | 'i64' | 'u8';
}

/** Cost of one instruction and the graph nodes it came from. */
export interface InstructionOrigin {
  readonly opcode: string;
  readonly phase: Phase;
  readonly flops: number;
  readonly bytes: number;
  /** Of its results in the arena, what the backward pass reads: they are kept until then. 0 outside the forward pass. */
  readonly keptBytes: number;
  /** Shares add up to 1. `stack` and `scope` index the forward graph's tables. */
  readonly parts: readonly { stack: number; scope: number; share: number }[];
}

/** A result of a graph that becomes the content of a state tensor. */
export interface Update {
  /** Name of the graph output. */
  readonly name: string;
  /** Of the state tensor. */
  readonly index: number;
  /**
   * Made where the state stands, which nothing else reads; otherwise it is copied there after the last read of what was there.
   */
  readonly inPlace: boolean;
}

export interface CompileOptions {
  /** `train`: forward, backward, clip, AdamW. `gradients`: forward, backward. `forward`: no gradients. */
  readonly mode: 'train' | 'gradients' | 'forward';
  readonly precision: 'fp32' | 'bf16';
  /** Logits kept as an output in io (forward and gradients modes). */
  readonly keepLogits?: boolean;
}

export interface Compiled {
  /** Serialized program, ready for `loadProgram`. */
  readonly program: Uint8Array;
  readonly stateBytes: number;
  readonly arenaBytes: number;
  readonly ioBytes: number;
  /** state + arena + io. */
  readonly peakBytes: number;
  readonly layout: StateLayout;
  /** `idx`, `targets`. */
  readonly inputs: Readonly<Record<string, IoPlace>>;
  /** `loss`, `logits`, `gradNorm` (train), all f32. */
  readonly outputs: Readonly<Record<string, IoPlace>>;
  /** In gradients mode: per `Trace.state` index, where its gradient stands in io. */
  readonly gradients: ReadonlyMap<number, IoPlace>;
  /** f32 [4]: learning rate, step (from 1), gradient-norm limit, unused. Train mode only. */
  readonly hyper: IoPlace | null;
  readonly instructions: readonly InstructionOrigin[];
  readonly mixers: readonly Mixer[];
  /** Counted from shapes, 2 per multiply-add; the convention stands in `cost.ts`. */
  readonly flops: { readonly forward: number; readonly backward: number; readonly optimizer: number };
}
