/** The state of a model in native memory: its weights, and what else its programs keep. */
import { fit } from '../checkpoints/fit.js';
import { openCheckpoint } from '../checkpoints/open.js';
import { type TensorToStore, writeSafetensors } from '../checkpoints/safetensors.js';
import { readTensor } from '../checkpoints/storedTensor.js';
import { reading } from '../checkpoints/weightsError.js';
import type { Compiled, StateLayout, StatePlace } from '../compiler/compiled.js';
import type { StateTensor } from '../compiler/graph.js';
import { STORAGE_BYTES } from '../compiler/lower/kernel.js';
import { elementCount } from '../compiler/shapes.js';
import type { NativeProgram, NativeSession, NativeState } from './binding.js';

export class ModelState {
  readonly #session: NativeSession;
  readonly #native: NativeState;
  /** Names in the weights file that the model does not have. */
  unusedWeights: readonly string[] = [];
  /** What was done to its tensors to fit the model. */
  weightNotes: readonly string[] = [];

  /** Allocates; `layout` is that of the programs that will run over it. */
  constructor(
    session: NativeSession,
    readonly tensors: readonly StateTensor[],
    readonly layout: StateLayout,
    private readonly init: Compiled,
  ) {
    this.#session = session;
    this.#native = session.createState(layout.byteLength);
  }

  /** A program that runs over this state. */
  program(compiled: Compiled): NativeProgram {
    return this.#session.loadProgram(compiled.program, this.#native);
  }

  /** Runs a program that is not needed again, so that its arena is not kept. */
  async runOnce(compiled: Compiled): Promise<void> {
    const program = this.program(compiled);
    try {
      await program.run();
    } finally {
      program.dispose();
    }
  }

  /** Gives the weights PyTorch gives after `torch.manual_seed(seed)`, and zeroes the optimizer's moments. */
  async initialize(seed: number): Promise<void> {
    for (const [index, { first, second }] of this.layout.moments) {
      const bytes = elementCount(this.layout.tensors[index]!.shape) * 4;
      this.#native.write(first, new Uint8Array(bytes));
      this.#native.write(second, new Uint8Array(bytes));
    }
    this.#session.seed(seed);
    await this.runOnce(this.init);
  }

  /** `count` bytes of a tensor, all of them when left out, from `offset`. */
  read(
    { byteOffset, shape, storage }: StatePlace,
    offset = 0,
    count = elementCount(shape) * STORAGE_BYTES[storage],
  ): Uint8Array {
    return this.#native.read(byteOffset + offset, count);
  }

  /**
   * Reads every parameter and registered buffer from a checkpoint. A buffer the file lacks keeps its initial value. Throws
   * WeightsError.
   */
  importWeights(file: string): void {
    const checkpoint = openCheckpoint(file);
    const { tensors: places } = this.layout;
    try {
      const registered = this.tensors.flatMap((tensor, index) =>
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
            this.#native.write(place.byteOffset + offset, bytes),
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
    const tensors = this.tensors.flatMap((tensor, index) =>
      tensor.kind === 'constant' ? [] : [this.#stored(tensor.name, index)],
    );
    writeSafetensors(file, tensors);
  }

  #stored(name: string, index: number): TensorToStore {
    const place = this.layout.tensors[index]!;
    const bytes = this.read(place);
    return { name, storage: place.storage, shape: place.shape, bytes };
  }

  /** Frees native memory; twice is fine. */
  dispose(): void {
    this.#native.dispose();
  }
}
