/** Smoothing of curves. */

/**
 * Exponential moving average with the correction of its start (Kingma and Ba 2015, section 3): s_t = b s_(t-1) + (1 - b) y_t
 * and s_t / (1 - b^t), with b = 1 - 1/steps. A value that is no number stays one and is passed over.
 */
export function movingAverage(values: Float64Array, steps: number): Float64Array {
  const decay = 1 - 1 / Math.max(1, steps);
  const smooth = new Float64Array(values.length);
  let sum = 0;
  let weight = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) {
      smooth[i] = NaN;
      continue;
    }
    sum = decay * sum + (1 - decay) * value;
    weight = decay * weight + (1 - decay);
    smooth[i] = sum / weight;
  }
  return smooth;
}

export interface Band {
  readonly mean: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** Mean, lowest and highest of equally long columns, row by row; NaN where any of them has no number. */
export function meanAndBand(columns: readonly Float64Array[]): Band {
  const length = Math.min(...columns.map((column) => column.length));
  const [mean, low, high] = [new Float64Array(length), new Float64Array(length), new Float64Array(length)];
  for (let i = 0; i < length; i++) {
    let sum = 0;
    let lowest = Infinity;
    let highest = -Infinity;
    for (const column of columns) {
      const value = column[i]!;
      sum += value;
      if (!(value >= lowest)) lowest = value;
      if (!(value <= highest)) highest = value;
    }
    mean[i] = sum / columns.length;
    const known = Number.isFinite(mean[i]!);
    low[i] = known ? lowest : NaN;
    high[i] = known ? highest : NaN;
  }
  return { mean, low, high };
}
