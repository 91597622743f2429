/** Which keys a query sees, collected from what a model does to its attention scores. */
import type { GraphBuilder } from '../build.js';
import type { ValueId } from '../graph.js';
import { valueAt, type Steps } from './steps.js';

/** At most this, added to a score, hides it: exp(-1e4) is 0 in every float type. */
export const HIDES = -1e4;

/** One thing done to the scores, kept as a value in case it must become an explicit mask. */
export type Mask =
  /** Scores are replaced by `fill` where `condition` is not `keep`. */
  | {
      readonly kind: 'select';
      readonly condition: ValueId;
      readonly keep: boolean;
      readonly fill: number;
      readonly steps: Steps | null;
    }
  /** `value * factor` is added to the scores. */
  | { readonly kind: 'add'; readonly value: ValueId; readonly factor: number; readonly steps: Steps | null }
  /** Scores are multiplied by 0 or 1; only sensible where 0 is hidden by another mask. */
  | { readonly kind: 'multiply'; readonly steps: Steps };

export interface Visibility {
  readonly causal: boolean;
  /** 0: none. */
  readonly window: number;
  readonly mask: ValueId | null;
}

/** Whether a mask is known at every distance and only hides: its hidden test, else null. */
function hider(mask: Mask, rank: number): ((distance: number) => boolean) | null {
  if (mask.kind === 'multiply' || mask.steps === null) return null;
  const { steps } = mask;
  if (steps.row >= 0 && (steps.row !== rank - 2 || steps.column !== rank - 1)) return null;
  if (mask.kind === 'select')
    return mask.fill <= HIDES ? (d) => (valueAt(steps, d) !== 0) !== mask.keep : null;
  const plain = steps.values.every((value) => value === 0 || value * mask.factor <= HIDES);
  return plain ? (d) => valueAt(steps, d) !== 0 : null;
}

/** Distances at which anything may change, within a queries x keys matrix. */
function distances(masks: readonly Mask[], queries: number, keys: number): number[] {
  const all = new Set([1 - queries, keys - 1, keys - queries, keys - queries + 1]);
  for (const mask of masks)
    for (const start of mask.steps?.starts ?? []) for (const d of [start - 1, start]) all.add(Math.ceil(d));
  return [...all].filter((d) => d >= 1 - queries && d <= keys - 1).sort((a, b) => a - b);
}

/** Explicit mask of everything that is not hidden structurally: bool alone, else additive. */
function explicit(b: GraphBuilder, masks: readonly Mask[], dtype: 'f32'): ValueId | null {
  let bool: ValueId | null = null;
  let added: ValueId | null = null;
  for (const mask of masks) {
    if (mask.kind === 'multiply') continue;
    if (mask.kind === 'select' && mask.fill === -Infinity) {
      const keep = mask.keep ? mask.condition : b.unary('logical_not', mask.condition);
      bool = bool === null ? keep : b.one('logical_and', [bool, keep]);
      continue;
    }
    const term =
      mask.kind === 'add'
        ? b.scale(mask.value, mask.factor)
        : b.where(
            mask.condition,
            b.scalar(mask.keep ? 0 : mask.fill, dtype),
            b.scalar(mask.keep ? mask.fill : 0, dtype),
          );
    added = added === null ? term : b.add(added, term);
  }
  if (bool === null || added === null) return bool ?? added;
  return b.where(bool, added, b.scalar(-Infinity, dtype));
}

/**
 * Says how a queries x keys score matrix is masked; `rank` is the rank of the masks' result. A pattern is causal only
 * when it is proved so at every distance; anything else stays an explicit mask. `null`: not an attention mask at all.
 */
export function visibility(
  b: GraphBuilder,
  masks: readonly Mask[],
  queries: number,
  keys: number,
  rankOf: (mask: Mask) => number,
): Visibility | null {
  const known: { mask: Mask; hides: (d: number) => boolean }[] = [];
  const rest: Mask[] = [];
  for (const mask of masks) {
    const hides = hider(mask, rankOf(mask));
    if (hides) known.push({ mask, hides });
    else if (mask.kind !== 'multiply') rest.push(mask);
  }
  const at = distances(masks, queries, keys);
  const hidden = (d: number): boolean => known.some(({ hides }) => hides(d));
  for (const mask of masks) {
    if (mask.kind !== 'multiply') continue;
    if (at.some((d) => valueAt(mask.steps, d) !== 1 && !(valueAt(mask.steps, d) === 0 && hidden(d))))
      return null;
  }
  const last = keys - queries;
  const visible = at.filter((d) => !hidden(d));
  if (visible.length === at.length) return { causal: false, window: 0, mask: explicit(b, rest, 'f32') };
  // Finite fills make a row that sees nothing uniform, not NaN: such rows must not exist.
  const first = visible[0] ?? Infinity;
  const window = first <= 1 - queries ? 0 : last - first + 1;
  const isBand =
    last >= 0 && visible.length > 0 && first <= 0 && at.every((d) => hidden(d) === (d > last || d < first));
  if (isBand) return { causal: true, window, mask: explicit(b, rest, 'f32') };
  return { causal: false, window: 0, mask: explicit(b, masks, 'f32') };
}
