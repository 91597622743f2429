/** A checkpoint that is open: every tensor by name, and what else it says. Bytes are read only when a tensor is. */
import type { StoredTensor } from './storedTensor.js';

export type CheckpointFormat = 'safetensors' | 'torch zip' | 'torch legacy' | 'torch tar' | 'pickle';
export type Scalar = string | number | boolean | null;

/** What a reader finds in one file. */
export interface Contents {
  readonly format: CheckpointFormat;
  /** Where the state dict stands in the file, e.g. `model`; empty at the top. */
  readonly root: string;
  /** The state dict: what `load_state_dict` takes. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors elsewhere in the file, such as the optimizer's, by their path in it. */
  readonly others: ReadonlyMap<string, StoredTensor>;
  /** Numbers, texts and booleans by their path, such as `model_args.n_head`. */
  readonly values: ReadonlyMap<string, Scalar>;
  /** Classes and functions that were not built, and how often each is used. */
  readonly opaque: ReadonlyMap<string, number>;
}

export interface Checkpoint extends Contents {
  /** As it was asked for. */
  readonly file: string;
  /** The files it is made of: one, or the shards. */
  readonly files: readonly string[];
  /** Frees the files; twice is fine. */
  close(): void;
}
