/** Numbers as people read them. */

const scaled = (value: number, steps: readonly string[], base: number): string => {
  let size = value;
  let step = 0;
  while (Math.abs(size) >= base && step < steps.length - 1) {
    size /= base;
    step += 1;
  }
  return `${significant(size)}${steps[step]!}`;
};

/** Three significant digits, without exponents for ordinary sizes. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1000) return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
  if (size < 1e-3) return value.toExponential(1);
  return value.toFixed(Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(size)))));
}

export { bytes as bytesText } from '../../shared/units.js';
export const countText = (value: number): string => scaled(value, ['', 'K', 'M', 'G', 'T'], 1000);
export const flopsText = (value: number): string =>
  scaled(value, [' FLOP', ' KFLOP', ' MFLOP', ' GFLOP', ' TFLOP'], 1000);
export const flopRateText = (value: number): string => `${flopsText(value)}/s`;
export const percentText = (share: number): string => `${significant(share * 100)}%`;

export function millisecondsText(value: number): string {
  return value >= 10_000 ? `${significant(value / 1000)} s` : `${significant(value)} ms`;
}
