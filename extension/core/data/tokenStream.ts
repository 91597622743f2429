/** Token ids of a corpus, and the batches a seed draws from them. */
import { createHash, type Hash } from 'node:crypto';
import type { DataSpec } from '../experiments/experiment.js';
import { Random } from '../stats/random.js';
import type { Corpus } from './corpus.js';
import { DataError } from './dataError.js';
import { gpt2Tokenizer } from './gpt2Tokenizer.js';
import { worldTokenizer } from './worldTokenizer.js';

export interface Tokenizer {
  readonly name: string;
  /** One more than the largest id. */
  readonly size: number;
  encode(bytes: Uint8Array): Int32Array;
  /** The bytes of one token; none for an id that stands for no text. */
  decode(id: number): Uint8Array;
}

export interface TokenStream {
  readonly training: Int32Array;
  readonly heldOut: Int32Array;
  /** Bytes of text per token of the held-out part: what turns nats per token into bits per byte. */
  readonly bytesPerToken: number;
  /** The same of the training part. */
  readonly trainingBytesPerToken: number;
}

/** Every byte is a token. */
export const byteTokenizer: Tokenizer = {
  name: 'byte',
  size: 256,
  encode: (bytes) => Int32Array.from(bytes),
  decode: (id) => (id < 256 ? Uint8Array.of(id) : new Uint8Array()),
};

/** The tokenizer an experiment names. Throws {@link DataError} when its vocabulary is missing or damaged. */
export function tokenizerFor(data: DataSpec): Tokenizer {
  switch (data.tokenizer) {
    case 'byte':
      return byteTokenizer;
    case 'gpt2':
      return gpt2Tokenizer(vocabularyOf(data, 'encoder.json, with vocab.bpe beside it'));
    case 'rwkv':
      return worldTokenizer(vocabularyOf(data, 'rwkv_vocab_v20230424.txt'));
  }
}

function vocabularyOf(data: DataSpec, wanted: string): string {
  if (data.vocabulary === undefined)
    throw new DataError(
      `The ${data.tokenizer} tokenizer needs its vocabulary: name the file (${wanted}) with --vocabulary.`,
    );
  return data.vocabulary;
}

/** Encodes both parts. Throws {@link DataError} when the model's vocabulary is too small for the tokenizer. */
export function tokenize(corpus: Corpus, tokenizer: Tokenizer, vocab: number): TokenStream {
  const training = tokenizer.encode(corpus.training);
  const heldOut = tokenizer.encode(corpus.heldOut);
  const largest = training.reduce(
    (a, b) => Math.max(a, b),
    heldOut.reduce((a, b) => Math.max(a, b), 0),
  );
  if (largest >= vocab)
    throw new DataError(
      `The text has token ${largest} and the vocabulary only ${vocab} tokens: set the vocabulary to ${tokenizer.size} with --vocab.`,
    );
  return {
    training,
    heldOut,
    bytesPerToken: corpus.heldOut.length / heldOut.length,
    trainingBytesPerToken: corpus.training.length / training.length,
  };
}

/** A loss in nats per token as bits per byte of text: comparable between tokenizers. */
export function bitsPerByte(nats: number, bytesPerToken: number): number {
  return nats / Math.LN2 / bytesPerToken;
}

/** `idx` and `targets` of one step, int64 [batch, context], as the engine takes them. */
export interface Batch {
  readonly idx: Uint8Array;
  readonly targets: Uint8Array;
}

/** Int64 little-endian bytes of small integers (negative ones too). */
export function int64Bytes(values: Int32Array): Uint8Array {
  const words = new Int32Array(values.length * 2);
  values.forEach((value, index) => {
    words[2 * index] = value;
    words[2 * index + 1] = value < 0 ? -1 : 0;
  });
  return new Uint8Array(words.buffer);
}

/** Cuts windows of `context` tokens out of a stream; targets are the tokens that follow. */
function cut(tokens: Int32Array, starts: readonly number[], context: number): Batch {
  const idx = new Int32Array(starts.length * context);
  const targets = new Int32Array(starts.length * context);
  starts.forEach((start, row) => {
    idx.set(tokens.subarray(start, start + context), row * context);
    targets.set(tokens.subarray(start + 1, start + context + 1), row * context);
  });
  return { idx: int64Bytes(idx), targets: int64Bytes(targets) };
}

/** Random training batches of one seed; {@link hash} proves that two models saw the same ones. */
export class BatchSource {
  readonly #random: Random;
  readonly #hash: Hash = createHash('sha256');

  constructor(
    readonly tokens: Int32Array,
    readonly context: number,
    readonly batch: number,
    seed: number,
  ) {
    if (tokens.length < context + 1)
      throw new DataError(
        `The text has ${tokens.length} tokens and a context takes ${context + 1}: name more text or shorten the context.`,
      );
    this.#random = new Random(seed);
  }

  next(): Batch {
    const starts = Array.from({ length: this.batch }, () =>
      this.#random.below(this.tokens.length - this.context),
    );
    const batch = cut(this.tokens, starts, this.context);
    this.#hash.update(batch.idx).update(batch.targets);
    return batch;
  }

  /** SHA-256 of all batches so far. */
  hash(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** The same held-out batches for everybody: windows spread evenly over the held-out tokens, at most `limit` batches. */
export function heldOutBatches(tokens: Int32Array, context: number, batch: number, limit: number): Batch[] {
  const room = tokens.length - context - 1;
  if (room < 0)
    throw new DataError(
      `The held-out text has ${tokens.length} tokens and a context takes ${context + 1}: name more text or shorten the context.`,
    );
  const windows = Math.floor(tokens.length / context);
  const count = Math.max(1, Math.min(limit, Math.floor(windows / batch)));
  const rows = count * batch;
  const starts = Array.from({ length: rows }, (_, row) =>
    rows === 1 ? 0 : Math.floor((room * row) / (rows - 1)),
  );
  return Array.from({ length: count }, (_, i) =>
    cut(tokens, starts.slice(i * batch, (i + 1) * batch), context),
  );
}
