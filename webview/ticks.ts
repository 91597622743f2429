/** Where a logarithmic axis has ticks: few, round, and readable at any range. */

/** Range a logarithmic axis shows for values: a little more than they span; `null` without positive values. */
export function logRange(values: readonly number[]): { readonly min: number; readonly max: number } | null {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return null;
  const low = Math.min(...positive);
  const high = Math.max(...positive);
  const pad = Math.max(1.03, (high / low) ** 0.06);
  return { min: low / pad, max: high * pad };
}

/** Range a linear axis shows: a little more than the values span, never below zero for values that are not. */
export function linearRange(
  values: readonly number[],
): { readonly min: number; readonly max: number } | null {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return null;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const pad = (high - low || Math.abs(high) || 1) * 0.03;
  return { min: low >= 0 ? Math.max(0, low - pad) : low - pad, max: high + pad };
}

/** A number on an axis: without the zeros that only say how exact a measurement is. */
export function tickText(text: string): string {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

/** Ticks within a range: evenly spaced over short ranges, 1-2-5 over a few decades, whole decades beyond. */
export function logTicks(min: number, max: number): number[] {
  if (!(min > 0) || !(max > min)) return [];
  const within = (values: number[]): number[] => values.filter((value) => value >= min && value <= max);
  if (max / min < 4) {
    const rough = (max - min) / 5;
    const base = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * base).find((size) => size >= rough) ?? base;
    const first = Math.ceil(min / step);
    const count = Math.floor(max / step) - first + 1;
    return Array.from({ length: Math.max(0, count) }, (_, index) => (first + index) * step);
  }
  const from = Math.floor(Math.log10(min));
  const decades = Array.from(
    { length: Math.ceil(Math.log10(max)) - from + 1 },
    (_, index) => 10 ** (from + index),
  );
  const factors = max / min > 1000 ? [1] : [1, 2, 5];
  return within(decades.flatMap((decade) => factors.map((factor) => factor * decade)));
}
