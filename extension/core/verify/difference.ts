/** How far two tensors are apart, in a way that a NaN cannot pass. */

/** `noise`: on both sides nothing but rounding errors, beside the model's largest gradient. */
export type Verdict = 'equal' | 'near' | 'noise' | 'far' | 'nan' | 'missing' | 'shape';

/** Below this share of the model's largest gradient there is nothing but rounding noise: eight times the spacing of fp32. */
const NOISE = 1e-6;

export interface TensorDifference {
  readonly name: string;
  /**
   * max |a - b| / max |b|, where b is PyTorch's; `null` when there is nothing to compare or a value is not a number.
   * Noise is measured against the model's largest gradient instead of against itself: the gradient of a key's bias, say, is
   * zero, and what either side computes of it is chance.
   */
  readonly relative: number | null;
  readonly verdict: Verdict;
  /** Elements whose bits differ. */
  readonly differing: number;
  readonly elements: number;
}

/** Largest absolute value; NaN if any is. */
export function largest(values: Float32Array): number {
  let result = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (!(size <= result)) result = size;
    if (Number.isNaN(result)) return NaN;
  }
  return result;
}

/**
 * Compares `a` with the reference `b`. NaN anywhere, or infinity in only one of them, fails; `top` is the largest value of
 * everything that is compared, where it says what is noise.
 */
export function compareTensors(
  name: string,
  a: Float32Array | null,
  b: Float32Array | null,
  tolerance: number,
  top = 0,
): TensorDifference {
  if (a === null || b === null) {
    const present = a ?? b;
    // Autograd leaves out what it knows to be zero.
    if (present !== null && largest(present) === 0) {
      return { name, relative: 0, verdict: 'equal', differing: 0, elements: present.length };
    }
    return { name, relative: null, verdict: 'missing', differing: 0, elements: present?.length ?? 0 };
  }
  const elements = b.length;
  if (a.length !== elements) return { name, relative: null, verdict: 'shape', differing: 0, elements };
  let difference = 0;
  let scale = NOISE * top;
  let differing = 0;
  for (let index = 0; index < elements; index++) {
    const [x, y] = [a[index]!, b[index]!];
    if (Number.isNaN(x) || Number.isNaN(y))
      return { name, relative: null, verdict: 'nan', differing, elements };
    if (x === y) {
      if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
      continue;
    }
    differing++;
    difference = Math.max(difference, Math.abs(x - y));
    if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
  }
  if (difference === 0) return { name, relative: 0, verdict: 'equal', differing, elements };
  if (largest(a) <= NOISE * top && largest(b) <= NOISE * top)
    return { name, relative: difference / top, verdict: 'noise', differing, elements };
  const relative = difference / scale;
  return { name, relative, verdict: relative <= tolerance ? 'near' : 'far', differing, elements };
}

/** Worst first: what cannot be compared, then the largest differences. */
export function worstFirst(differences: readonly TensorDifference[]): TensorDifference[] {
  const rank = ({ relative }: TensorDifference): number => relative ?? Infinity;
  return [...differences].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
}
