/** How far two tensors are apart, in a way that a NaN cannot pass. */

export type Verdict = 'equal' | 'near' | 'far' | 'nan' | 'missing' | 'shape';

export interface TensorDifference {
  readonly name: string;
  /**
   * max |a - b| / max |b|, where b is PyTorch's; `null` when there is nothing to compare or a value is not a number.
   * A reference that is all zero is compared with `floor` instead of with itself.
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
 * Compares `a` with the reference `b`. NaN anywhere, or infinity in only one of them, fails; `floor` is the least scale
 * a difference is measured against.
 */
export function compareTensors(
  name: string,
  a: Float32Array | null,
  b: Float32Array | null,
  tolerance: number,
  floor = 0,
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
  let scale = floor;
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
  const relative = difference / scale;
  return { name, relative, verdict: relative <= tolerance ? 'near' : 'far', differing, elements };
}

/** Worst first: what cannot be compared, then the largest differences. */
export function worstFirst(differences: readonly TensorDifference[]): TensorDifference[] {
  const rank = ({ relative }: TensorDifference): number => relative ?? Infinity;
  return [...differences].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
}
