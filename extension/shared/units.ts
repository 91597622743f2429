/** Numbers in words: the one place that decides digits and units, for the editor, the panel and the report. */

/** Three significant digits without exponent, thousands separated by commas. */
export function digits(value: number, significant = 3): string {
  if (!Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.max(0, significant - 1 - magnitude);
  if (decimals > 8) return value.toExponential(significant - 1);
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** Milliseconds as `850 µs`, `12.3 ms` or `1.25 s`. */
export function milliseconds(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value >= 1000) return `${digits(value / 1000)} s`;
  if (value >= 1 || value === 0) return `${digits(value)} ms`;
  return `${digits(value * 1000)} µs`;
}

/** An interval in one unit where both ends share it: `918-984 ms`. */
export function range(interval: readonly [number, number], format: (value: number) => string): string {
  const [low, high] = interval.map(format);
  const unit = / \S+$/.exec(high ?? '')?.[0] ?? '';
  const same = unit !== '' && low?.endsWith(unit) === true;
  return same ? `${low?.slice(0, -unit.length)}-${high}` : `${low}-${high}`;
}

/** Seconds left or passed as `45 s`, `3 min` or `1 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let rest = value;
  let index = 0;
  while (Math.abs(rest) >= base && index < units.length - 1) {
    rest /= base;
    index++;
  }
  return `${digits(rest)} ${units[index] ?? ''}`;
}

/** Bytes in binary units: `1.40 GiB`. */
export function bytes(value: number): string {
  return Number.isFinite(value) ? scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']) : '-';
}

/** Floating-point operations: `12.3 GFLOP`. */
export function flops(value: number): string {
  return Number.isFinite(value)
    ? scaled(value, 1000, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP'])
    : '-';
}

/** Counts: `10.6 M`. */
export function count(value: number): string {
  return Number.isFinite(value) ? scaled(value, 1000, ['', 'k', 'M', 'G', 'T']).trimEnd() : '-';
}

/** Integers in full: `4,096`. */
export function integer(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '-';
}

/** Two significant digits with thousands separators, e.g. 3100 -> `3,100`; exact below 100. */
export function about(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = 10 ** Math.max(0, Math.floor(Math.log10(Math.abs(value) || 1)) - 1);
  return exact(Math.round(value / magnitude) * magnitude);
}

/** `1,300 (1,200-1,500)`: a place and its interval, with as many digits as tell the ends apart. */
export function aboutWithin(at: number, interval: readonly [number, number] | null): string {
  const within = interval === null ? '' : aboutRange(interval);
  return within === '' ? about(at) : `${about(at)} (${within})`;
}

/** `1,200-1,500`, or `1,296-1,304` where rounding would hide the difference; empty where there is none. */
export function aboutRange([low, high]: readonly [number, number]): string {
  for (const format of [about, exact]) {
    const ends = [format(low), format(high)];
    if (ends[0] !== ends[1]) return ends.join('-');
  }
  return '';
}

/** Thousands separators, at most one decimal. */
export function exact(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
}

/** A spread of 0.18 as `±18%`: two digits. */
export function plusMinus(spread: number): string {
  return Number.isFinite(spread) ? `±${digits(spread * 100, spread >= 1 ? 3 : 2)}%` : '-';
}

/** Share of 0..1 as `12.3%`. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${digits(share * 100, share >= 0.1 ? 3 : 2)}%` : '-';
}
