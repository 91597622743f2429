/** Lowest and highest of any stretch of a column, soon: blocks of it are looked through once. */
interface Blocks {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

const BLOCK = 512;
const known = new WeakMap<Float64Array, Blocks>();

function blocksOf(values: Float64Array): Blocks {
  const found = known.get(values);
  if (found !== undefined) return found;
  const count = Math.floor(values.length / BLOCK);
  const made = { low: new Float64Array(count), high: new Float64Array(count) };
  for (let block = 0; block < count; block++) {
    const [low, high] = scan(values, block * BLOCK, (block + 1) * BLOCK);
    made.low[block] = low;
    made.high[block] = high;
  }
  known.set(values, made);
  return made;
}

function scan(values: Float64Array, from: number, to: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Ends of the numbers of `values` from index `from` up to `to`; `null` where there is none. The column must not change. */
export function extent(values: Float64Array, from: number, to: number): readonly [number, number] | null {
  const first = Math.ceil(from / BLOCK);
  const last = Math.floor(to / BLOCK);
  const blocks = first < last ? blocksOf(values) : null;
  const parts =
    blocks === null
      ? [scan(values, from, to)]
      : [
          scan(values, from, first * BLOCK),
          [scan(blocks.low, first, last)[0], scan(blocks.high, first, last)[1]] as const,
          scan(values, last * BLOCK, to),
        ];
  const low = Math.min(...parts.map(([end]) => end));
  const high = Math.max(...parts.map(([, end]) => end));
  return low <= high ? [low, high] : null;
}
