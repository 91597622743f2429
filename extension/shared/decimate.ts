/**
 * Fewer points that draw the same line. M4 (Jugel, Jerzak, Hackenbroich and Markl 2014, VLDB 7(10)): of every column of
 * pixels the first, lowest, highest and last point are enough for a line chart without error. Pure; imports nothing.
 */

/** What of a curve is in view. */
export interface Window {
  /** Ends of the horizontal axis; above 0 where it is logarithmic. */
  readonly from: number;
  readonly to: number;
  readonly log: boolean;
  /** Columns of pixels, at least 1. */
  readonly columns: number;
}

/** First index in [from, to) whose value is not below `value`, in ascending numbers; `to` where there is none. */
export function lowerBound(ascending: Float64Array, value: number, from = 0, to = ascending.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As {@link lowerBound} from `from` on, soon found where it is near `guess`. */
function seek(x: Float64Array, value: number, from: number, guess: number): number {
  let low = from;
  let high = x.length;
  for (let step = 1, at = Math.min(guess, x.length - 1); at >= low && at < high; step *= 4) {
    if (x[at]! < value) {
      low = at + 1;
      at += step;
    } else {
      high = at;
      at -= step;
    }
  }
  return lowerBound(x, value, low, high);
}

/**
 * Where stretches of a curve begin, and the end of the last: the point before the window by itself, its columns, and the point
 * after it by itself, so that a line reaches both edges. `columns + 3` indexes.
 * @param x ascending.
 */
export function columnEdges(x: Float64Array, { from, to, log, columns }: Window): Int32Array {
  const edges = new Int32Array(columns + 3);
  const ratio = log ? (to / from) ** (1 / columns) : 0;
  const step = (to - from) / columns;
  let at = lowerBound(x, from);
  // Zero and less have no place on a logarithmic axis.
  edges[0] = at > 0 && (!log || x[at - 1]! > 0) ? at - 1 : at;
  edges[1] = at;
  let place = from;
  for (let column = 1; column < columns; column++) {
    place = log ? place * ratio : from + step * column;
    const last = edges[column]!;
    at = seek(x, place, last, last + last - edges[column - 1]!);
    edges[column + 1] = at;
  }
  let end = lowerBound(x, to, at);
  while (end < x.length && x[end] === to) end++;
  edges[columns + 1] = end;
  edges[columns + 2] = Math.min(x.length, end + 1);
  return edges;
}

/** Indexes of the first, lowest, highest and last number of every stretch, ascending, each once; NaN is no number. */
export function columnExtremes(y: Float64Array, edges: Int32Array): Int32Array {
  const found = new Int32Array(4 * (edges.length - 1));
  let count = 0;
  for (let column = 1; column < edges.length; column++) {
    let first = edges[column - 1]!;
    let end = edges[column]!;
    while (first < end && Number.isNaN(y[first]!)) first++;
    while (end > first && Number.isNaN(y[end - 1]!)) end--;
    if (first === end) continue;
    let low = first;
    let high = first;
    let lowest = y[first]!;
    let highest = lowest;
    for (let index = first + 1; index < end; index++) {
      const value = y[index]!;
      if (value < lowest) {
        lowest = value;
        low = index;
      } else if (value > highest) {
        highest = value;
        high = index;
      }
    }
    const [near, far] = low < high ? [low, high] : [high, low];
    found[count++] = first;
    if (near > first) found[count++] = near;
    if (far > near) found[count++] = far;
    if (end - 1 > far) found[count++] = end - 1;
  }
  return found.subarray(0, count);
}

/**
 * Lowest and highest value that a line through points passes in every stretch, which begins where the line came from: the area a
 * zigzag fills. NaN before the first point and after the last; a stretch without points between has the value of the one before.
 * @param indexes of the points, as {@link columnExtremes} finds them in these stretches.
 */
export function columnSpans(
  y: Float64Array,
  edges: Int32Array,
  indexes: Int32Array,
): { readonly low: Float64Array; readonly high: Float64Array } {
  const low = new Float64Array(Math.max(0, edges.length - 1));
  const high = new Float64Array(low.length);
  let last = NaN;
  for (let stretch = 0, at = 0; stretch < low.length; stretch++) {
    if (at === indexes.length) last = NaN;
    let lowest = last;
    let highest = last;
    for (; at < indexes.length && indexes[at]! < edges[stretch + 1]!; at++) {
      last = y[indexes[at]!]!;
      if (!(lowest <= last)) lowest = last;
      if (!(highest >= last)) highest = last;
    }
    low[stretch] = lowest;
    high[stretch] = highest;
  }
  return { low, high };
}

/** Indexes of the points that draw the window of a curve: at most four per column, and one beyond each edge. */
export function decimate(x: Float64Array, y: Float64Array, window: Window): Int32Array {
  return columnExtremes(y, columnEdges(x, window));
}
