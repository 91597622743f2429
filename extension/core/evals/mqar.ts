/**
 * Multi-query associative recall (Arora et al. 2023, arXiv 2312.04927): D key-value pairs, then each key again at a
 * random place; the model must say its value. Unused places hold token 0 (the paper's setting, not the library's).
 */
import { int64Bytes, type Batch } from '../data/tokenStream.js';
import { Random } from '../stats/random.js';

export interface MqarTask {
  readonly context: number;
  readonly pairs: number;
  readonly vocab: number;
}

/** A place that is scored. */
export interface MqarQuery {
  /** row * context + position. */
  readonly place: number;
  readonly key: number;
  /** The value expected there. */
  readonly answer: number;
  /** Tokens from the key's value to the query. */
  readonly distance: number;
}

export interface MqarBatch extends Batch {
  /** Queries row by row, `pairs` of them in each. */
  readonly scored: readonly MqarQuery[];
}

/** Query slots are drawn with probability proportional to n^(a-1): close to 1/n, so queries sit early. */
const POWER = 0.01;

/** One sentence that says why a task cannot be made, or `null`. */
export function mqarProblem({ context, pairs, vocab }: MqarTask): string | null {
  if (context % 2 !== 0) return `an associative-recall context must be even, not ${context}`;
  if (4 * pairs > context) return `${pairs} pairs need a context of at least ${4 * pairs}, not ${context}`;
  if (vocab <= context)
    return `an associative-recall vocabulary must be larger than its context of ${context}, not ${vocab}`;
  return null;
}

/** Score of guessing among the values. */
export function mqarChance({ vocab }: MqarTask): number {
  return 1 / (vocab - Math.floor(vocab / 2));
}

/** Draws batches; positions without an answer have target `ignore`. */
export class MqarSource {
  readonly #random: Random;
  readonly #cumulative: readonly number[];

  constructor(
    readonly task: MqarTask,
    readonly batch: number,
    seed: number,
    readonly ignore: number,
  ) {
    this.#random = new Random(seed);
    const slots = (task.context - 2 * task.pairs) / 2;
    let sum = 0;
    this.#cumulative = Array.from({ length: slots }, (_, i) => (sum += (i + 1) ** (POWER - 1)));
  }

  next(): MqarBatch {
    const { context } = this.task;
    const idx = new Int32Array(this.batch * context);
    const targets = new Int32Array(this.batch * context).fill(this.ignore);
    const scored: MqarQuery[] = [];
    for (let row = 0; row < this.batch; row++) {
      for (const query of this.#example(idx.subarray(row * context, (row + 1) * context))) {
        targets[row * context + query.place] = query.answer;
        scored.push({ ...query, place: row * context + query.place });
      }
    }
    return { idx: int64Bytes(idx), targets: int64Bytes(targets), scored };
  }

  /** Fills one row and returns the places where a key was asked, with its value. */
  #example(row: Int32Array): MqarQuery[] {
    const { pairs, vocab } = this.task;
    const half = Math.floor(vocab / 2);
    const keys = this.#random.distinct(pairs, 1, half);
    const values = this.#random.distinct(pairs, half, vocab);
    keys.forEach((key, i) => {
      row[2 * i] = key;
      row[2 * i + 1] = values[i]!;
    });
    const slots = this.#slots(pairs);
    return keys.map((key, i) => {
      const place = 2 * pairs + 2 * slots[i]!;
      row[place] = key;
      return { place, key, answer: values[i]!, distance: place - (2 * i + 1) };
    });
  }

  /** Distinct slots, drawn one after the other in proportion to their weight. */
  #slots(count: number): number[] {
    const taken = new Set<number>();
    const slots: number[] = [];
    const total = this.#cumulative.at(-1)!;
    while (slots.length < count) {
      const drawn = this.#random.unit() * total;
      const slot = this.#cumulative.findIndex((edge) => drawn < edge);
      if (slot < 0 || taken.has(slot)) continue;
      taken.add(slot);
      slots.push(slot);
    }
    return slots;
  }
}
