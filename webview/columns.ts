/** Columns of numbers: what is read, what is sorted and copied, in one expression. */
import { milliseconds, range } from '../extension/shared/units.js';

type Ends = readonly [number, number];

const inUnit = (unit: string | undefined) => (unit === undefined ? {} : { unit });

/** A number of a row, and how it is written. */
export function number<T>(value: (row: T) => number, format: (value: number) => string, unit?: string) {
  return { text: (row: T) => format(value(row)), value, ...inUnit(unit) };
}

/** The same where some rows have none. */
export function optional<T>(
  value: (row: T) => number | null | undefined,
  format: (value: number) => string,
  unit?: string,
) {
  return {
    text: (row: T) => {
      const found = value(row) ?? null;
      return found === null ? '-' : format(found);
    },
    value: (row: T) => value(row) ?? null,
    ...inUnit(unit),
  };
}

/** An interval of milliseconds in one cell. */
export function intervalMs<T>(ends: (row: T) => Ends) {
  const hint = 'Bootstrap interval of the median';
  return { text: (row: T) => range(ends(row), milliseconds), ends, unit: 'ms', hint };
}
