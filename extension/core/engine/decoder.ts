/** A decoder that runs: it reads tokens, keeps what later ones need, and gives the logits of the newest. */
import { decoderStateBytes, showsLater } from '../compiler/decode/states.js';
import type { Compiled } from '../compiler/compiled.js';
import { elementCount } from '../compiler/shapes.js';
import { int64Bytes } from '../data/tokenStream.js';
import { UsageError } from '../experiments/usageError.js';
import type { NativeProgram, NativeSession } from './binding.js';
import { floats, IO, run } from './model.js';
import { ModelState } from './modelState.js';
import { type PreparedDecoder, windowsOf } from './prepareDecoder.js';

interface Window {
  readonly native: NativeProgram;
  readonly compiled: Compiled;
}

export class Decoder {
  readonly #windows = new Map<number, Window>();
  readonly #longest: number;
  #position = 0;

  private constructor(
    readonly prepared: PreparedDecoder,
    readonly state: ModelState,
  ) {
    this.#longest = Math.max(...prepared.windows.keys());
    try {
      for (const [tokens, compiled] of prepared.windows)
        this.#windows.set(tokens, { native: state.program(compiled), compiled });
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Allocates and fills the weights: the model's own initialisation from `seed`, then its weights file if it has one. */
  static async load(session: NativeSession, prepared: PreparedDecoder, seed: number): Promise<Decoder> {
    const { init, reset, state } = prepared;
    const decoder = new Decoder(prepared, new ModelState(session, state, reset.layout, init));
    try {
      await decoder.state.initialize(seed);
      const { weights } = prepared.model.spec;
      if (weights !== undefined) decoder.state.importWeights(weights);
      await decoder.reset();
      decoder.#requireMasks();
      return decoder;
    } catch (error) {
      decoder.dispose();
      throw error;
    }
  }

  /** Tokens read so far. */
  get position(): number {
    return this.#position;
  }

  /** Forgets every token. */
  async reset(): Promise<void> {
    await this.state.runOnce(this.prepared.reset);
    this.#position = 0;
  }

  /** Bytes that must be kept of `tokens` tokens. */
  stateBytes(tokens: number): number {
    return decoderStateBytes(this.prepared.tensors, tokens);
  }

  /**
   * Reads tokens and gives the logits f32 [vocab] of the newest, and the milliseconds it took. Rejects with {@link UsageError}
   * when there is no room for them.
   */
  async read(tokens: readonly number[], signal?: AbortSignal): Promise<{ logits: Float32Array; ms: number }> {
    const { capacity, model } = this.prepared;
    if (this.#position + tokens.length > capacity)
      throw new UsageError(
        `${model.label} was prepared for ${capacity} tokens, and ${this.#position + tokens.length} are read.`,
      );
    let ms = 0;
    let logits: Float32Array = new Float32Array();
    let at = 0;
    for (const length of this.#plan(tokens.length)) {
      const { native, compiled } = this.#windows.get(length)!;
      const { idx, position } = compiled.inputs;
      if (idx !== undefined)
        native.write(IO, idx.byteOffset, int64Bytes(Int32Array.from(tokens.slice(at, at + length))));
      if (position !== undefined)
        native.write(IO, position.byteOffset, int64Bytes(Int32Array.of(this.#position)));
      const result = await run(native, signal, false);
      ms += result.totalNs / 1e6;
      this.#position += length;
      at += length;
      if (at === tokens.length) logits = floats(native, compiled.outputs['logits']!);
    }
    return { logits, ms };
  }

  /** Windows that were compiled, which together have `count` tokens. */
  #plan(count: number): number[] {
    return windowsOf(count, this.#longest).flatMap((length) =>
      this.#windows.has(length) ? [length] : Array.from({ length }, () => 1),
    );
  }

  /** Throws {@link UsageError} when a mask lets a token see later ones: that model cannot be decoded. */
  #requireMasks(): void {
    const { tensors, capacity, model } = this.prepared;
    for (const { index, mask, type } of tensors) {
      if (!mask) continue;
      const place = this.state.layout.tensors[index]!;
      const width = elementCount(type.shape) / capacity;
      for (let token = 0; token < capacity; token++) {
        const bytes = this.state.read(place, token * width * 4, width * 4);
        const row = new Float32Array(bytes.buffer, bytes.byteOffset, width);
        if (showsLater(row, token, capacity))
          throw new UsageError(
            `The attention mask of ${model.label} lets token ${token} see later ones, so that the model cannot decode token by token.`,
          );
      }
    }
  }

  /** Frees native memory; twice is fine. */
  dispose(): void {
    for (const { native } of this.#windows.values()) native.dispose();
    this.#windows.clear();
    this.state.dispose();
  }
}
