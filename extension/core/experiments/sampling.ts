/** Chooses the next token from logits. */
import type { Random } from '../stats/random.js';

export interface SamplingSpec {
  /** Divides the logits; 0: always the likeliest token. */
  readonly temperature: number;
  /** Only so many of the likeliest tokens; 0: all. */
  readonly topK: number;
  /** Only the likeliest tokens whose probabilities reach this together; 1: all (nucleus sampling, arXiv 1904.09751). */
  readonly topP: number;
}

/** Draws one token of [vocab] logits. A NaN among the logits is an error of the model, and said so. */
export function sampleToken(logits: Float32Array, spec: SamplingSpec, random: Random): number {
  const bad = logits.findIndex((value) => Number.isNaN(value) || value === Infinity);
  if (bad >= 0)
    throw new Error(
      `The logit of token ${bad} is ${logits[bad]}: the weights or the model's numbers overflow, so that no token can be chosen.`,
    );
  if (spec.temperature === 0) return logits.reduce((best, value, i) => (value > logits[best]! ? i : best), 0);
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  const kept = spec.topK > 0 ? order.slice(0, spec.topK) : order;
  const top = logits[kept[0]!]!;
  const weights = kept.map((id) => Math.exp((logits[id]! - top) / spec.temperature));
  const count = nucleus(weights, spec.topP);
  const total = weights.slice(0, count).reduce((sum, weight) => sum + weight, 0);
  let place = random.unit() * total;
  for (let i = 0; i < count; i++) {
    place -= weights[i]!;
    if (place < 0) return kept[i]!;
  }
  return kept[count - 1]!;
}

/** How many of the weights, largest first, reach a share of their sum. */
function nucleus(weights: readonly number[], share: number): number {
  if (share >= 1) return weights.length;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  const last = weights.findIndex((weight) => (reached += weight) >= share * total);
  return last < 0 ? weights.length : last + 1;
}
