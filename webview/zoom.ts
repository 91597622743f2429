/** Zooming and panning of a horizontal axis: pure functions of what is shown and of all there is. */

export interface AxisRange {
  readonly min: number;
  readonly max: number;
}

/** Smallest share of everything that can be zoomed to. */
const CLOSEST = 1e-6;

const scale = (value: number, log: boolean): number => (log ? Math.log(value) : value);
const unscale = (value: number, log: boolean): number => (log ? Math.exp(value) : value);

/** Moves a range into the limits without changing its width, where it fits. */
function within(low: number, high: number, all: AxisRange, log: boolean): AxisRange | null {
  const [from, to] = [scale(all.min, log), scale(all.max, log)];
  const width = high - low;
  if (width >= (to - from) * (1 - 1e-9)) return null;
  const start = Math.min(Math.max(low, from), to - width);
  return { min: unscale(start, log), max: unscale(start + width, log) };
}

/**
 * Shows `1 / factor` of what is shown, with the place at `share` (0 left, 1 right) staying where it is; `null`: everything.
 */
export function zoomed(
  shown: AxisRange,
  all: AxisRange,
  factor: number,
  share: number,
  log: boolean,
): AxisRange | null {
  const [low, high] = [scale(shown.min, log), scale(shown.max, log)];
  const whole = scale(all.max, log) - scale(all.min, log);
  const width = Math.max((high - low) / factor, whole * CLOSEST);
  const fixed = low + (high - low) * share;
  return within(fixed - width * share, fixed + width * (1 - share), all, log);
}

/** Moves by `share` of what is shown, to the right for positive ones; `null`: everything is shown anyway. */
export function panned(shown: AxisRange, all: AxisRange, share: number, log: boolean): AxisRange | null {
  const [low, high] = [scale(shown.min, log), scale(shown.max, log)];
  const by = (high - low) * share;
  return within(low + by, high + by, all, log);
}
